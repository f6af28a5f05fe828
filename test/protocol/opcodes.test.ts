import { Opcode } from 'hubwire/protocol'
import { expect, test } from 'vitest'
import { FIN, RSV1 } from '#src/protocol/opcodes.js'

test('has the opcodes and bits of RFC 6455 section 5.2', () => {
  expect(Opcode).toEqual({ continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 })
  expect([FIN, RSV1]).toEqual([0x80, 0x40])
})
