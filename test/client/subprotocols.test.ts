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
])('%j are subprotocols', (value, list) => {
  expect(isSubprotocols(value)).toBe(true)
  expect([...readSubprotocols(value)]).toEqual(list)
})

test('options are none', () => {
  expect(isSubprotocols({ origin: 'x' })).toBe(false)
})

test.each([[['a', 'a']], ['a b'], [''], [['a', 'b,c']], ['a\r\nInjected: yes'], [['ä']]])(
  '%j is a SyntaxError, and no attempt to connect',
  (value) => {
    expect(() => readSubprotocols(value)).toThrow(SyntaxError)
    expect(() => new WebSocket('ws://127.0.0.1:1', value)).toThrow(SyntaxError)
  },
)
