/**
 * The grammar of the header fields that the opening handshake reads (RFC 6455 section 9.1, RFC 9110 section 5.6). Each
 * function makes one pass over its input, without a regular expression. Names from the peer are never keys of a plain
 * object.
 */

const TOKEN_CHARACTERS = new Uint8Array(128)
for (const character of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  TOKEN_CHARACTERS[character.charCodeAt(0)] = 1
}

/** The longest header value that is parsed, in characters. */
export const MAX_HEADER_VALUE = 8192

/** How many extensions one header may offer. */
export const MAX_OFFERS = 16

/** A header value does not follow its grammar, or exceeds a limit. */
export class HeaderSyntaxError extends Error {
  /** Whether it exceeds a limit: the answer is 431, not 400. */
  readonly tooLarge: boolean

  constructor(message: string, tooLarge = false) {
    super(message)
    this.name = 'HeaderSyntaxError'
    this.tooLarge = tooLarge
  }
}

/** One element of a Sec-WebSocket-Extensions header; a parameter without a value is `true`. */
export interface Extension {
  name: string
  /** In the order of the header; a name may be repeated. */
  parameters: [name: string, value: string | true][]
}

/** Whether a string is a token (RFC 9110 section 5.6.2). */
export function isToken(value: string): boolean {
  return value.length > 0 && tokenEnd(value, 0) === value.length
}

/** Whether a string is a valid field value: visible ASCII, obs-text, spaces and tabs, but no CR, LF or NUL. */
export function isFieldValue(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false
  }
  return true
}

/** Whether a comma-separated list has this token, in any case. @param token - in lower case */
export function listHas(list: string | undefined, token: string): boolean {
  if (list === undefined) return false
  let start = 0
  while (start <= list.length) {
    const comma = list.indexOf(',', start)
    const end = comma === -1 ? list.length : comma
    if (list.slice(start, end).trim().toLowerCase() === token) return true
    start = end + 1
  }
  return false
}

/**
 * Reads Sec-WebSocket-Protocol: tokens, each once.
 *
 * @throws HeaderSyntaxError
 */
export function parseSubprotocols(header: string): Set<string> {
  checkLength(header, 'Sec-WebSocket-Protocol')
  const names = new Set<string>()
  for (const element of header.split(',')) {
    const name = trim(element)
    if (!isToken(name)) throw new HeaderSyntaxError('Sec-WebSocket-Protocol is not a list of tokens')
    if (names.has(name)) throw new HeaderSyntaxError(`Sec-WebSocket-Protocol names ${name} twice`)
    names.add(name)
  }
  return names
}

/**
 * Reads Sec-WebSocket-Extensions (RFC 6455 section 9.1).
 *
 * @throws HeaderSyntaxError
 */
export function parseExtensions(header: string): Extension[] {
  checkLength(header, 'Sec-WebSocket-Extensions')
  const reader = new Reader(header)
  const extensions: Extension[] = []
  do {
    if (extensions.length === MAX_OFFERS) {
      throw new HeaderSyntaxError(`Sec-WebSocket-Extensions offers more than ${MAX_OFFERS}`, true)
    }
    const extension: Extension = { name: reader.token(), parameters: [] }
    while (reader.skip(';')) {
      const name = reader.token()
      extension.parameters.push([name, reader.skip('=') ? reader.value() : true])
    }
    extensions.push(extension)
  } while (reader.skip(','))
  reader.expectEnd()
  return extensions
}

/** Writes an extension as an element of Sec-WebSocket-Extensions. */
export function formatExtension({ name, parameters }: Extension): string {
  let text = name
  for (const [parameter, value] of parameters) text += `; ${parameter}${value === true ? '' : `=${value}`}`
  return text
}

class Reader {
  readonly #text: string
  #index = 0

  constructor(text: string) {
    this.#text = text
  }

  token(): string {
    this.#skipSpace()
    const start = this.#index
    this.#index = tokenEnd(this.#text, start)
    if (this.#index === start) this.#fail()
    const token = this.#text.slice(start, this.#index)
    this.#skipSpace()
    return token
  }

  /** A token, bare or quoted: a quoted string must be a token as well (RFC 6455 section 9.1). */
  value(): string {
    this.#skipSpace()
    if (this.#text[this.#index] !== '"') return this.token()
    this.#index++
    let value = ''
    while (this.#text[this.#index] !== '"') {
      if (this.#text[this.#index] === '\\') this.#index++
      if (this.#index >= this.#text.length) this.#fail()
      value += this.#text[this.#index++]!
    }
    this.#index++
    if (!isToken(value)) this.#fail()
    this.#skipSpace()
    return value
  }

  skip(character: string): boolean {
    if (this.#text[this.#index] !== character) return false
    this.#index++
    return true
  }

  expectEnd(): void {
    if (this.#index < this.#text.length) this.#fail()
  }

  #skipSpace(): void {
    while (this.#text[this.#index] === ' ' || this.#text[this.#index] === '\t') this.#index++
  }

  #fail(): never {
    throw new HeaderSyntaxError(`Sec-WebSocket-Extensions is malformed at character ${this.#index}`)
  }
}

function tokenEnd(text: string, start: number): number {
  let index = start
  while (index < text.length && TOKEN_CHARACTERS[text.charCodeAt(index)] === 1) index++
  return index
}

function trim(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text, start)) start++
  while (end > start && isSpace(text, end - 1)) end--
  return text.slice(start, end)
}

function isSpace(text: string, index: number): boolean {
  const code = text.charCodeAt(index)
  return code === 0x20 || code === 0x09
}

function checkLength(header: string, name: string): void {
  if (header.length > MAX_HEADER_VALUE) {
    throw new HeaderSyntaxError(`${name} is longer than ${MAX_HEADER_VALUE} characters`, true)
  }
}
