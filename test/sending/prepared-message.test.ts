import { inflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { MessageDeflater } from '#src/protocol/message-deflater.js'
import type { FrameSequence } from '#src/sending/frame-sequence.js'
import { PreparedMessage } from '#src/sending/prepared-message.js'
import { FrameReader } from '../support/raw-frame.js'
import { records } from '../support/sample-messages.js'
import { FLUSH_TAIL } from '../support/zlib-peer.js'

const settings = { windowBits: 15, contextTakeover: false, threshold: 1024, level: 6, memLevel: 8 }
const long = records(20)

/** What a member with these settings sends. */
function deflated(message: PreparedMessage, of: typeof settings): FrameSequence {
  return message.deflated(new MessageDeflater(of))!
}

function read(bytes: Buffer) {
  return new FrameReader().push(bytes)
}

describe('an uncompressed prepared message', () => {
  test.each([0, 125, 126, 65_535, 65_536])(
    'encodes %i bytes as one frame that ends with the payload',
    (length) => {
      const message = new PreparedMessage('x'.repeat(length), false, true)
      expect(read(message.plain.join())).toMatchObject([
        { opcode: 1, fin: true, rsv: 0, minimalLength: true },
      ])
      expect(message.payload.length).toBe(length)
      expect(message.payload.buffer).toBe(message.plain.join().buffer)
    },
  )

  test('copies bytes once', () => {
    const data = Buffer.from('before')
    const message = new PreparedMessage(data, true, true)
    data.fill('x')
    expect(message.payload.toString()).toBe('before')
    expect(read(message.plain.join())).toMatchObject([{ opcode: 2, payload: Buffer.from('before') }])
    expect(message.plain).toBe(message.plain)
  })
})

describe('a compressed prepared message', () => {
  test('is compressed once for each window', () => {
    const message = new PreparedMessage(long, true, true)
    const frame = deflated(message, settings)
    expect(deflated(message, settings)).toBe(frame)
    expect(deflated(message, { ...settings })).toBe(frame)
    // From an empty window, so context takeover makes no difference.
    expect(deflated(message, { ...settings, contextTakeover: true })).toBe(frame)
    const others = [{ windowBits: 9 }, { level: 1 }, { memLevel: 1 }].map((other) =>
      deflated(message, { ...settings, ...other }),
    )
    expect(new Set([frame, ...others]).size).toBe(4)
    for (const other of [frame, ...others]) {
      const [found] = read(other.join())
      expect(found).toMatchObject({ opcode: 2, fin: true, rsv: 4 })
      const bytes = Buffer.concat([found!.payload, FLUSH_TAIL, Buffer.of(3, 0)])
      expect(inflateRawSync(bytes).equals(long)).toBe(true)
    }
    for (const windowBits of [9, 15])
      expect(deflated(message, { ...settings, windowBits })).not.toBe(message.plain)
  })

  test('keeps text as text', () => {
    const message = new PreparedMessage(long.toString(), false, true)
    expect(read(deflated(message, settings).join())).toMatchObject([{ opcode: 1, rsv: 4 }])
  })

  test('is not compressed below a receiver’s threshold or with compress: false', () => {
    const message = new PreparedMessage('x'.repeat(1023), false, true)
    expect(deflated(message, settings)).toBe(message.plain)
    expect(deflated(message, { ...settings, threshold: 1023 })).not.toBe(message.plain)
    expect(deflated(message, settings)).toBe(message.plain)
    const secret = new PreparedMessage(long, true, false)
    expect(deflated(secret, { ...settings, threshold: 0 })).toBe(secret.plain)
  })

  test('is compressed when empty if the threshold is 0', () => {
    const message = new PreparedMessage('', false, true)
    const [found] = read(deflated(message, { ...settings, threshold: 0 }).join())
    expect(found).toMatchObject({ opcode: 1, fin: true, rsv: 4 })
    expect(inflateRawSync(Buffer.concat([found!.payload, FLUSH_TAIL, Buffer.of(3, 0)])).length).toBe(0)
  })
})
