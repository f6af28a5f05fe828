import { formatExtension, HeaderSyntaxError, parseExtensions, parseSubprotocols } from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isFieldValue, isToken, listHas, MAX_HEADER_VALUE, MAX_OFFERS } from '#src/protocol/header-grammar.js'
import { runs } from '../support/runs.js'

// RFC 9110 section 5.6.2.
const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

const token = fc.string({
  unit: fc.constantFrom(...Array.from(TOKEN_CHARACTERS)),
  minLength: 1,
  maxLength: 12,
  size: 'max',
})
const byte = fc.nat(255).map((code) => String.fromCharCode(code))
const space = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 2 })

function failure(parse: () => unknown): HeaderSyntaxError {
  try {
    parse()
  } catch (error) {
    if (error instanceof HeaderSyntaxError) return error
    throw error
  }
  throw new Error('It was accepted')
}

describe('isToken', () => {
  test('accepts the characters that the RFC allows, and no other', () => {
    const accepted = []
    for (let code = 0; code < 0x1_00_00; code++) {
      if (isToken(`a${String.fromCharCode(code)}b`)) accepted.push(String.fromCharCode(code))
    }
    expect(accepted.sort()).toEqual(Array.from(TOKEN_CHARACTERS).sort())
  })

  test('refuses an empty token', () => {
    expect(isToken('')).toBe(false)
  })
})

describe('isFieldValue', () => {
  test('accepts Latin-1 without control characters except for the tab', () => {
    const wrong = []
    for (let code = 0; code < 0x1_00_00; code++) {
      const allowed = code === 0x09 || (code >= 0x20 && code <= 0xff && code !== 0x7f)
      if (isFieldValue(`a${String.fromCharCode(code)}b`) !== allowed) wrong.push(code)
    }
    expect(wrong).toEqual([])
  })
})

describe('listHas', () => {
  test.each([
    ['upgrade', true],
    ['Upgrade', true],
    ['UPGRADE', true],
    ['keep-alive, Upgrade', true],
    ['Upgrade, keep-alive', true],
    ['keep-alive,upgrade,close', true],
    ['keep-alive ,\t upgrade\t', true],
    [', ,upgrade', true],
    ['upgrade,', true],
    ['', false],
    [',', false],
    ['upgraded', false],
    ['no-upgrade', false],
    ['keep-alive upgrade', false],
    ['keep-alive;upgrade', false],
    ['"upgrade"', false],
    [undefined, false],
  ])('%j: %s', (list, expected) => {
    expect(listHas(list, 'upgrade')).toBe(expected)
  })

  test('searches a header of 64 KiB', () => {
    expect(listHas(','.repeat(65_536), 'upgrade')).toBe(false)
    expect(listHas(`${', '.repeat(32_768)}upgrade`, 'upgrade')).toBe(true)
    expect(listHas(' '.repeat(65_536), 'upgrade')).toBe(false)
  })
})

describe('parseSubprotocols', () => {
  test.each([
    ['chat', ['chat']],
    ['chat, superchat', ['chat', 'superchat']],
    ['b,a', ['b', 'a']],
    [' \tchat\t , v1.json ', ['chat', 'v1.json']],
    ['Chat, chat', ['Chat', 'chat']],
    ['constructor, __proto__, toString', ['constructor', '__proto__', 'toString']],
  ])('%j', (header, expected) => {
    expect([...parseSubprotocols(header)]).toEqual(expected)
  })

  test.each([
    '',
    ' ',
    ',',
    'chat,',
    ',chat',
    'a,,b',
    'a b',
    'a;b',
    '"chat"',
    'ch@t',
    'caf\u00e9',
    'a\r\nb',
    'a\u0000',
  ])('refuses %j as a list of tokens', (header) => {
    expect(failure(() => parseSubprotocols(header))).toMatchObject({
      message: 'Sec-WebSocket-Protocol is not a list of tokens',
      tooLarge: false,
    })
  })

  test('refuses a name that is listed twice', () => {
    expect(failure(() => parseSubprotocols('chat, other, chat'))).toMatchObject({
      message: 'Sec-WebSocket-Protocol names chat twice',
      tooLarge: false,
    })
  })

  test('refuses a header of 64 KiB for its length', () => {
    expect(failure(() => parseSubprotocols('a,'.repeat(32_768))).tooLarge).toBe(true)
  })

  test('reads a header of the maximum length', () => {
    const names = Array.from({ length: MAX_HEADER_VALUE / 8 }, (_, index) => String(1_000_000 + index))
    expect(parseSubprotocols(names.join(',')).size).toBe(names.length)
    const exact = 'x'.repeat(MAX_HEADER_VALUE)
    expect([...parseSubprotocols(exact)]).toEqual([exact])
    expect(failure(() => parseSubprotocols(`${exact}x`)).message).toBe(
      'Sec-WebSocket-Protocol is longer than 8192 characters',
    )
  })

  test('reads any list of tokens with any white space', () => {
    fc.assert(
      fc.property(fc.uniqueArray(token, { minLength: 1 }), space, space, (names, before, behind) => {
        const header = names.map((name) => `${before}${name}${behind}`).join(',')
        expect([...parseSubprotocols(header)]).toEqual(names)
      }),
    )
  })
})

describe('parseExtensions', () => {
  test.each([
    ['foo', [{ name: 'foo', parameters: [] }]],
    ['foo;bar', [{ name: 'foo', parameters: [['bar', true]] }]],
    ['foo; bar=baz', [{ name: 'foo', parameters: [['bar', 'baz']] }]],
    ['foo ;\tbar = "baz" ', [{ name: 'foo', parameters: [['bar', 'baz']] }]],
    ['foo; bar="a\\b\\c"', [{ name: 'foo', parameters: [['bar', 'abc']] }]],
    [
      'foo;a;a=1',
      [
        {
          name: 'foo',
          parameters: [
            ['a', true],
            ['a', '1'],
          ],
        },
      ],
    ],
    // RFC 6455 section 9.1.
    ['deflate-stream', [{ name: 'deflate-stream', parameters: [] }]],
    [
      'mux; max-channels=4; flow-control, deflate-stream',
      [
        {
          name: 'mux',
          parameters: [
            ['max-channels', '4'],
            ['flow-control', true],
          ],
        },
        { name: 'deflate-stream', parameters: [] },
      ],
    ],
    ['private-extension', [{ name: 'private-extension', parameters: [] }]],
    // RFC 7692 section 7.1.3.
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate',
      [
        {
          name: 'permessage-deflate',
          parameters: [
            ['client_max_window_bits', true],
            ['server_max_window_bits', '10'],
          ],
        },
        { name: 'permessage-deflate', parameters: [] },
      ],
    ],
    // Fault: ws in 2017. Such names are names like all others.
    [
      'constructor; __proto__=toString; hasOwnProperty, __proto__',
      [
        {
          name: 'constructor',
          parameters: [
            ['__proto__', 'toString'],
            ['hasOwnProperty', true],
          ],
        },
        { name: '__proto__', parameters: [] },
      ],
    ],
  ])('%j', (header, expected) => {
    expect(parseExtensions(header)).toEqual(expected)
  })

  test.each([
    ['', 0],
    [' ', 1],
    [',', 0],
    [';', 0],
    ['foo,', 4],
    ['foo,,bar', 4],
    ['foo;', 4],
    ['foo;;bar', 4],
    ['foo;=', 4],
    ['foo;=bar', 4],
    ['foo;bar=', 8],
    ['foo;bar=;baz', 8],
    ['foo bar', 4],
    ['foo;bar baz', 8],
    ['foo;bar=baz=1', 11],
    ['foo=bar', 3],
    ['"foo"', 0],
    ['foo;"bar"', 4],
    ['foo;bar="baz', 12],
    ['foo;bar="baz\\', 13],
    ['foo;bar="baz\\"', 14],
    ['foo;bar=""', 10],
    ['foo;bar="b z"', 13],
    ['foo;bar="b,z"', 13],
    ['foo;bar="b\\"z"', 14],
    ['foo;bar="b\\\\z"', 14],
    ['foo;bar="b\u0000z"', 13],
    ['foo;bar="baz"1', 13],
    ['foo;bar=ba"z"', 10],
    ['foo;bar="caf\u00e9"', 14],
    ['caf\u00e9', 3],
    ['foo\r\nbar', 3],
    ['foo; bar=\u0130', 9],
  ])('refuses %j at character %d', (header, index) => {
    expect(failure(() => parseExtensions(header))).toMatchObject({
      name: 'HeaderSyntaxError',
      message: `Sec-WebSocket-Extensions is malformed at character ${index}`,
      tooLarge: false,
    })
  })

  test('reads 16 offers and refuses 17', () => {
    const offers = Array<string>(MAX_OFFERS).fill('foo')
    expect(MAX_OFFERS).toBe(16)
    expect(parseExtensions(offers.join(','))).toHaveLength(16)
    expect(failure(() => parseExtensions([...offers, 'foo'].join(',')))).toMatchObject({
      message: 'Sec-WebSocket-Extensions offers more than 16',
      tooLarge: true,
    })
  })

  // Faults: ws CVE-2021-32640, websocket-extensions CVE-2020-7662.
  test.each([
    ['an endless list', 'a,'],
    ['endless parameters', ';a'],
    ['endless space', ' '],
    ['an endless quoted string', '\\"'],
    ['endless quotes', '"'],
  ])('refuses a header of 64 KiB for its length: %s', (_name, part) => {
    const header = `foo;bar="${part.repeat(65_536 / part.length)}`
    expect(failure(() => parseExtensions(header))).toMatchObject({
      message: 'Sec-WebSocket-Extensions is longer than 8192 characters',
      tooLarge: true,
    })
  })

  test('reads a header of the maximum length', () => {
    const header = `foo${';a'.repeat((MAX_HEADER_VALUE - 4) / 2)}b`
    expect(header).toHaveLength(MAX_HEADER_VALUE)
    expect(parseExtensions(header)[0]?.parameters).toHaveLength(4094)
    const quoted = `foo;bar="${'\\x'.repeat((MAX_HEADER_VALUE - 10) / 2)}"`
    expect(quoted).toHaveLength(MAX_HEADER_VALUE)
    expect(parseExtensions(quoted)[0]?.parameters[0]?.[1]).toHaveLength(4091)
  })

  test('reads what formatExtension writes', () => {
    const parameter = fc.tuple(token, fc.oneof(fc.constant<true>(true), token))
    const extension = fc.record({ name: token, parameters: fc.array(parameter, { maxLength: 6 }) })
    fc.assert(
      fc.property(fc.array(extension, { minLength: 1, maxLength: 16 }), (extensions) => {
        expect(parseExtensions(extensions.map(formatExtension).join(', '))).toEqual(extensions)
      }),
    )
  })

  test('reads bare, quoted and escaped values alike', () => {
    fc.assert(
      fc.property(token, space, space, (value, before, behind) => {
        const escaped = Array.from(value, (character) => `\\${character}`).join('')
        for (const form of [value, `"${value}"`, `"${escaped}"`]) {
          const header = `foo${before};${behind}bar${behind}=${before}${form}${behind}`
          expect(parseExtensions(header)).toEqual([{ name: 'foo', parameters: [['bar', value]] }])
        }
      }),
    )
  })

  test('reads or refuses any text, and throws nothing else', () => {
    const text = fc.string({
      unit: fc.constantFrom(...Array.from('ab;,="\\ \t\u0000\u00e9')),
      maxLength: 60,
      size: 'max',
    })
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: byte, maxLength: 30, size: 'max' })), (header) => {
        for (const parse of [parseExtensions, parseSubprotocols]) {
          try {
            parse(header)
          } catch (error) {
            expect(error).toBeInstanceOf(HeaderSyntaxError)
          }
        }
      }),
      { numRuns: runs(500) },
    )
  })
})

test('formatExtension writes the examples of the RFC', () => {
  expect(
    formatExtension({
      name: 'mux',
      parameters: [
        ['max-channels', '4'],
        ['flow-control', true],
      ],
    }),
  ).toBe('mux; max-channels=4; flow-control')
  expect(formatExtension({ name: 'foo', parameters: [] })).toBe('foo')
})
