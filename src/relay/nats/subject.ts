/** What separates or stands for tokens, what ends a subject on the wire, and what marks an encoded character. */
const RESERVED = /[\p{Cc} .*>%]/gu

/**
 * The subject of a channel: its prefix as it is, and the rest as one token.
 *
 * @param channel - it begins with the prefix if it is a hub's
 */
export function subjectOf(prefix: string, channel: string): string {
  if (!channel.startsWith(prefix)) return tokenOf(channel)
  return prefix + tokenOf(channel.slice(prefix.length))
}

function tokenOf(name: string): string {
  return name.replace(RESERVED, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase()
    return `%${code.padStart(2, '0')}`
  })
}

/** @throws TypeError when no subject can begin with it */
export function checkPrefix(prefix: string): void {
  const tokens = prefix.split('.')
  const isUsable = tokens.every((token, index) => {
    const isLast = index === tokens.length - 1
    return (token !== '' || isLast) && token.replaceAll('%', '') === tokenOf(token.replaceAll('%', ''))
  })
  if (isUsable) return
  throw new TypeError(
    `prefix must be the beginning of a NATS subject, such as 'chat.' or 'hubwire:', but was ${JSON.stringify(prefix)}`,
  )
}
