import { expect, test } from 'vitest'
import { ClosingHandshake } from '#src/connection/closing-handshake.js'

test('reports 1006 and an unclean close without the peer’s Close frame', () => {
  const closing = new ClosingHandshake('local')
  expect([closing.code, closing.reason]).toEqual([1006, ''])
  expect(closing.details()).toEqual({ wasClean: false, initiator: 'local', cause: undefined, dropped: 0 })
  closing.isSent = true
  expect(closing.code).toBe(1006)
  expect(closing.details().wasClean).toBe(false)
})

test('reports the peer’s code and reason, and a clean close once our Close frame is sent too (F5)', () => {
  const closing = new ClosingHandshake('remote')
  closing.receive(4000, 'enough')
  expect([closing.isReceived, closing.code, closing.reason]).toEqual([true, 4000, 'enough'])
  expect(closing.details()).toEqual({ wasClean: false, initiator: 'remote', cause: undefined, dropped: 0 })
  closing.isSent = true
  expect(closing.details().wasClean).toBe(false)
  closing.hasLeft = true
  expect(closing.details().wasClean).toBe(true)
})

test('keeps the cause', () => {
  const closing = new ClosingHandshake('local')
  closing.cause = new Error('reset')
  expect(closing.details().cause).toEqual(new Error('reset'))
})
