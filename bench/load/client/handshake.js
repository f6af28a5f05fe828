/** The key and the answer in RFC 6455 section 1.3. Every connection sends it: no server caches the answer. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
