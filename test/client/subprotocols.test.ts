import { WebSocket } from 'hubwire'
import { expect, test } from 'vitest'
import { isSubprotocols, readSubprotocols } from '#src/client/subprotocols.js'
import { thrownBy, webError } from '../support/web-error.js'

test.each([
  [undefined, []],
  ['chat', ['chat']],
  [
    ['b', 'a'],
    ['b', 'a'],
  ],
  [
    ['constructor', '__proto__'],
    ['constructor', '__proto__'],
  ],
  [[], []],
  [new Set(['b', 'a']), ['b', 'a']],
  [new Map([['a', 1]]).keys(), ['a']],
  [[1, true] as never, ['1', 'true']],
])('accepts %j as subprotocols', (value, list) => {
  expect(isSubprotocols(value)).toBe(true)
  expect([...readSubprotocols(value)]).toEqual(list)
})

test('does not mistake options for subprotocols', () => {
  expect(isSubprotocols({ origin: 'x' })).toBe(false)
})

test.each([
  [['a', 'a']],
  [['a', 'A']],
  [new Set(['a', 'A'])],
  ['a b'],
  [''],
  [['a', 'b,c']],
  ['a\r\nInjected: yes'],
  [['ä']],
])('throws a SyntaxError for %j before it connects', (value) => {
  expect(() => readSubprotocols(value)).toThrow(SyntaxError)
  expect(thrownBy(() => new WebSocket('ws://127.0.0.1:1', value))).toEqual(webError('SyntaxError'))
})
