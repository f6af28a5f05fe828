import { WebSocket } from 'hubwire'
import { expect, test } from 'vitest'
import { isSubprotocols, readSubprotocols } from '#src/client/subprotocols.js'

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
])('takes %j for subprotocols', (value, list) => {
  expect(isSubprotocols(value)).toBe(true)
  expect([...readSubprotocols(value)]).toEqual(list)
})

test('does not take options for subprotocols', () => {
  expect(isSubprotocols({ origin: 'x' })).toBe(false)
})

test.each([[['a', 'a']], ['a b'], [''], [['a', 'b,c']], ['a\r\nInjected: yes'], [['ä']]])(
  'throws a SyntaxError for %j before it connects',
  (value) => {
    expect(() => readSubprotocols(value)).toThrow(SyntaxError)
    expect(() => new WebSocket('ws://127.0.0.1:1', value)).toThrow(SyntaxError)
  },
)
