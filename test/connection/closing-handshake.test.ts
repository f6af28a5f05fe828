import { expect, test } from 'vitest'
import { ClosingHandshake } from '#src/connection/closing-handshake.js'

test('without the peer’s Close the code is 1006, and nothing of it is clean', () => {
  const closing = new ClosingHandshake('local')
  expect([closing.code, closing.reason]).toEqual([1006, ''])
  expect(closing.details()).toEqual({ wasClean: false, initiator: 'local', cause: undefined })
  closing.isSent = true
  expect(closing.code).toBe(1006)
  expect(closing.details().wasClean).toBe(false)
})

test('the code and reason are the peer’s, and it is clean when both have sent Close', () => {
  const closing = new ClosingHandshake('remote')
  closing.receive(4000, 'enough')
  expect([closing.isReceived, closing.code, closing.reason]).toEqual([true, 4000, 'enough'])
  expect(closing.details()).toEqual({ wasClean: false, initiator: 'remote', cause: undefined })
  closing.isSent = true
  expect(closing.details().wasClean).toBe(true)
})

test('what went wrong stands beside it', () => {
  const closing = new ClosingHandshake('local')
  closing.cause = new Error('reset')
  expect(closing.details().cause).toEqual(new Error('reset'))
})
