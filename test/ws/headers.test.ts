import * as ws from 'hubwire/ws'
import { expect, test } from 'vitest'

const { extension, subprotocol } = ws as unknown as {
  extension: { parse(header: string): object; format(extensions: object): string }
  subprotocol: { parse(header: string): Set<string> }
}

test('extension.parse lists the parameters of each occurrence of an extension', () => {
  const parsed = extension.parse('a; b; c="1"; c=2, toString;constructor, a')
  expect(Object.getPrototypeOf(parsed)).toBeNull()
  expect(JSON.parse(JSON.stringify(parsed))).toEqual({
    a: [{ b: [true], c: ['1', '2'] }, {}],
    toString: [{ constructor: [true] }],
  })
})

test('extension.format writes one or more of each', () => {
  expect(extension.format({ a: [{}, { b: true }], c: { d: [true, 2], e: 1 } })).toBe(
    'a, a; b, c; d; d=2; e=1',
  )
})

test('subprotocol.parse returns each name once', () => {
  expect(subprotocol.parse('chat, superchat')).toEqual(new Set(['chat', 'superchat']))
})

test.each(['', 'a,,b', 'f@o', 'a;b=', 'a;b="c'])('extension.parse throws a SyntaxError for %j', (header) => {
  expect(() => extension.parse(header)).toThrow(SyntaxError)
})

test.each(['', 'a,,b', 'f@o', 'a, a'])('subprotocol.parse throws a SyntaxError for %j', (header) => {
  expect(() => subprotocol.parse(header)).toThrow(SyntaxError)
})
