/** The key and its answer of RFC 6455 section 1.3; every connection sends the same, as no server caches it. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
