/** Decodes percent-encoding (RFC 3986 section 2.1); returns text as it is if that is malformed. */
export function decodePercents(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
