import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, test, vi } from 'vitest'
import { MessageDeflater } from '#src/protocol/message-deflater.js'
import { Opcode } from '#src/protocol/opcodes.js'
import { PreparedMessage } from '#src/sending/prepared-message.js'
import { Sender, type SenderOwner, type SendingSettings } from '#src/sending/sender.js'
import { Traffic } from '#src/sending/traffic.js'
import { settled, turn } from '../support/event-loop.js'
import { PartialSink } from '../support/partial-sink.js'
import { FrameReader } from '../support/raw-frame.js'
import { socketPair } from '../support/socket-pair.js'

const KIBI = 1024
const MEBI = 1024 * KIBI

const whole = { isBinary: true, compress: true, fin: true }
const more = { isBinary: true, compress: true, fin: false }

const deflate = { windowBits: 15, contextTakeover: true, threshold: 100, level: 3, memLevel: 8 }

function recordingOwner() {
  return {
    onTaken: vi.fn(),
    onIdle: vi.fn(),
    onDrain: vi.fn(),
    onBackpressure: vi.fn(),
    onSendingFailed: vi.fn<(cause: Error, isOfSocket: boolean) => void>(),
    onCallbackFailed: vi.fn(),
  } satisfies SenderOwner
}

function senderTo(sink: PartialSink, settings: Partial<SendingSettings> = {}, isCompressing = false) {
  const owner = recordingOwner()
  const traffic = new Traffic()
  const sender = new Sender(
    sink,
    { maxBufferedAmount: MEBI, slowPolicy: 'terminate', traffic, ...settings },
    owner,
    isCompressing ? new MessageDeflater(deflate) : undefined,
  )
  sink.on('drain', () => {
    sender.drain()
  })
  return { sender, owner, traffic }
}

function payloads(sink: PartialSink): string[] {
  return new FrameReader().push(sink.bytes).map(({ payload }) => payload.toString())
}

describe('queued data', () => {
  test('is written to the socket in slices, so that progress is visible', async () => {
    const sink = new PartialSink(false)
    const { sender, owner } = senderTo(sink)
    const length = 4 * MEBI
    sender.sendMessage(Buffer.alloc(length), whole)
    await settled()
    expect(sink.writableLength).toBeLessThan(MEBI)
    expect([sender.bufferedAmount, sender.bufferedBytes, sender.bytesTaken]).toEqual([length, length + 10, 0])
    let taken = 0
    while (sender.bufferedBytes > 0) {
      sink.release()
      await turn()
      expect(sender.bytesTaken).toBeGreaterThan(taken)
      taken = sender.bytesTaken
      expect(sender.bufferedBytes).toBe(length + 10 - taken)
    }
    expect(owner.onTaken.mock.calls.length).toBeGreaterThanOrEqual(8)
    expect([sender.bufferedAmount, sender.bytesTaken]).toEqual([0, length + 10])
    expect(owner.onDrain).toHaveBeenCalledTimes(1)
  })

  test('is discarded by fail(), and the amounts stay (WHATWG)', async () => {
    const sink = new PartialSink(false)
    const { sender } = senderTo(sink)
    const callback = vi.fn()
    const cause = new Error('given up')
    sender.sendMessage(Buffer.alloc(4 * MEBI), whole, callback)
    await settled()
    sink.release()
    sender.fail(cause)
    sender.fail(new Error('again'))
    const left = sender.bufferedAmount
    sink.release()
    await settled()
    expect(sink.bytes.length).toBeLessThan(2 * MEBI)
    expect(sender.bufferedAmount).toBe(left)
    expect(callback.mock.calls).toEqual([[cause]])
  })

  test('counts with its uncompressed length until it is taken', async () => {
    const sink = new PartialSink(false)
    const { sender } = senderTo(sink, {}, true)
    sender.sendMessage('x'.repeat(5000), whole)
    sender.sendControl(Opcode.ping, Buffer.from('not counted'))
    expect(sender.bufferedAmount).toBe(5000)
    expect(sender.bufferedBytes).toBeLessThan(200)
    await settled()
    while (sender.bufferedBytes > 0) {
      sink.release()
      await turn()
    }
    expect(sender.bufferedAmount).toBe(0)
  })
})

describe('callbacks', () => {
  test('report no success for bytes that were not sent (F5)', async () => {
    const { here, there } = await socketPair()
    const owner = recordingOwner()
    const sender = new Sender(
      here,
      { maxBufferedAmount: Infinity, slowPolicy: 'terminate', traffic: new Traffic() },
      owner,
    )
    there.pause()
    const results: (Error | null | undefined)[] = []
    for (let sent = 0; sent < 24; sent++) {
      sender.sendMessage(Buffer.alloc(MEBI), whole, (error) => results.push(error))
    }
    await settled()
    const cause = new Error('terminated')
    here.destroy()
    sender.fail(cause)
    await settled()
    expect(results).toHaveLength(24)
    const succeeded = results.filter((error) => error === undefined).length
    expect(succeeded * MEBI).toBeLessThanOrEqual(sender.bytesTaken)
    expect(results.slice(succeeded)).toEqual(Array(24 - succeeded).fill(cause))
    expect(succeeded).toBeLessThan(24)
  })

  test('ignore the success that a destroyed socket reports for a pending write (F5)', async () => {
    const sink = new PartialSink(false)
    const { sender } = senderTo(sink)
    const callback = vi.fn()
    sender.sendMessage('waits', whole, callback)
    await settled()
    sink.destroy()
    await settled()
    expect(callback).not.toHaveBeenCalled()
    const cause = new Error('the cause')
    sender.fail(cause)
    await settled()
    expect(callback.mock.calls).toEqual([[cause]])
  })

  test('are all called even if one throws or rejects, which is reported (F21, F43)', async () => {
    const sink = new PartialSink()
    const { sender, owner } = senderTo(sink)
    const called = vi.fn()
    sender.sendMessage('1', whole, () => {
      throw new Error('thrown')
    })
    sender.sendMessage('2', whole, async () => {
      throw new Error('rejected')
    })
    sender.sendMessage('3', whole, called)
    expect(called).not.toHaveBeenCalled()
    await settled()
    expect(called.mock.calls).toEqual([[]])
    expect(owner.onCallbackFailed.mock.calls).toEqual([[new Error('thrown')], [new Error('rejected')]])
  })

  test('run in the async context of their own send (F12)', async () => {
    const storage = new AsyncLocalStorage<string>()
    const sink = new PartialSink()
    const { sender } = senderTo(sink)
    const seen: (string | undefined)[] = []
    const see = (): void => {
      seen.push(storage.getStore())
    }
    storage.run('one', () => sender.sendMessage('1', whole, see))
    storage.run('two', () => sender.sendMessage('2', whole, see))
    sender.sendMessage('3', whole, see)
    await settled()
    sender.fail(new Error('over'))
    storage.run('four', () => sender.sendMessage('4', whole, see))
    await settled()
    expect(seen).toEqual(['one', 'two', undefined, 'four'])
  })

  test('may be null (F40)', async () => {
    const sink = new PartialSink()
    const { sender, owner } = senderTo(sink)
    sender.sendMessage('1', whole, null)
    sender.sendControl(Opcode.ping, Buffer.alloc(0), null)
    sender.fail(new Error('over'))
    sender.sendMessage('2', whole, null)
    await settled()
    expect(owner.onCallbackFailed).not.toHaveBeenCalled()
  })
})

describe('messages', () => {
  test("are skipped as a whole with slowPolicy 'skip' if their first fragment is skipped (F4)", async () => {
    const sink = new PartialSink(false)
    const { sender, traffic } = senderTo(sink, { maxBufferedAmount: 1000, slowPolicy: 'skip' })
    const errors = vi.fn<(error?: Error | null) => void>()
    sender.sendMessage('begun ', more)
    sender.sendMessage(Buffer.alloc(900, '.'), more)
    await settled()
    sender.sendControl(Opcode.ping, Buffer.alloc(100))
    await settled()
    // More than the limit is queued, but the message has already begun.
    sender.sendMessage('middle', more)
    await settled()
    sender.sendMessage(' end', whole)
    await settled()
    expect(sender.sendMessage('skipped', more, errors)).toBe(false)
    for (let round = 0; round < 4; round++) {
      sink.release()
      await turn()
    }
    // Nothing is queued now, but the first fragment of the message was skipped.
    expect(sender.bufferedBytes).toBe(0)
    expect(sender.sendMessage('skipped too', more, errors)).toBe(false)
    expect(sender.sendMessage('to its end', whole, errors)).toBe(false)
    sink.isOpen = true
    expect(sender.sendMessage('next', whole)).toBe(true)
    await settled()
    const data = new FrameReader().push(sink.bytes).filter(({ opcode }) => opcode < 8)
    expect(data.map(({ payload }) => payload.toString().replace(/\.+/, '...'))).toEqual([
      'begun ',
      '...',
      'middle',
      ' end',
      'next',
    ])
    expect(errors.mock.calls.map(([error]) => (error as { code?: string }).code)).toEqual(
      Array(3).fill('WS_ERR_SLOW_PEER'),
    )
    expect(traffic.sent).toBe(2)
  })

  test('fail the connection if they exceed maxBufferedAmount after their first fragment (F4)', async () => {
    const sink = new PartialSink(false)
    const { sender, owner } = senderTo(sink, { maxBufferedAmount: 1000, slowPolicy: 'skip' })
    const callback = vi.fn()
    sender.sendMessage(Buffer.alloc(600), more, callback)
    await settled()
    sender.sendMessage(Buffer.alloc(600), more, callback)
    await settled()
    expect(sender.sendMessage('one too many', more, callback)).toBe(false)
    expect(owner.onSendingFailed).toHaveBeenCalledTimes(1)
    const cause = owner.onSendingFailed.mock.calls[0]![0]
    expect(cause).toMatchObject({ code: 'WS_ERR_SLOW_PEER' })
    await settled()
    expect(callback.mock.calls).toEqual([[cause], [cause], [cause]])
  })

  test('never exceed the limit within one turn for a peer that reads (section W)', async () => {
    const { here, there } = await socketPair()
    const owner = recordingOwner()
    const sender = new Sender(
      here,
      { maxBufferedAmount: 16 * MEBI, slowPolicy: 'terminate', traffic: new Traffic() },
      owner,
    )
    here.on('drain', () => {
      sender.drain()
    })
    let received = 0
    there.on('data', (chunk) => (received += chunk.length))
    for (let sent = 0; sent < 45; sent++) sender.sendMessage(Buffer.alloc(512 * KIBI), whole)
    while (received < 45 * (512 * KIBI + 10)) await turn()
    await settled()
    expect(owner.onSendingFailed).not.toHaveBeenCalled()
    expect(owner.onDrain).toHaveBeenCalledTimes(1)
    expect(sender.bytesTaken).toBe(received)
  })

  test('fail the connection if more than maxBufferedAmount was queued in an earlier turn', async () => {
    const sink = new PartialSink(false)
    const { sender, owner } = senderTo(sink, { maxBufferedAmount: 1000 })
    sender.sendMessage(Buffer.alloc(2000), whole)
    sender.sendMessage('of the same turn', whole)
    await settled()
    expect(sender.sendMessage('later', whole)).toBe(false)
    expect(owner.onSendingFailed.mock.calls).toMatchObject([[{ code: 'WS_ERR_SLOW_PEER' }, true]])
  })

  test('are copied if they are shorter than 16 KiB (F6)', async () => {
    for (const isCompressing of [false, true]) {
      const sink = new PartialSink()
      const { sender } = senderTo(sink, {}, isCompressing)
      const blocking = Buffer.alloc(100_000, 'b')
      if (isCompressing) sender.sendMessage(blocking, whole)
      const lengths = [10, 8 * KIBI, 8 * KIBI + 1, 12 * KIBI, 16 * KIBI - 1]
      for (const length of lengths) {
        const data = Buffer.alloc(length, 'before')
        sender.sendMessage(data, { ...whole, compress: false })
        data.fill('after!')
      }
      while (sender.bufferedBytes > 0) await turn()
      const sent = new FrameReader().push(sink.bytes).slice(-lengths.length)
      expect(sent.map(({ payload }) => payload.equals(Buffer.alloc(payload.length, 'before')))).toEqual(
        Array(lengths.length).fill(true),
      )
    }
  })
})

describe('onDrain', () => {
  test('is called in a later tick if the socket takes everything at once', async () => {
    const sink = new PartialSink()
    const { sender, owner } = senderTo(sink)
    expect(sender.sendMessage(Buffer.alloc(100_000), whole)).toBe(false)
    expect(owner.onBackpressure.mock.calls).toEqual([[100_000]])
    expect(sender.sendMessage(Buffer.alloc(100_000), whole)).toBe(false)
    expect(owner.onDrain).not.toHaveBeenCalled()
    await settled()
    expect(owner.onDrain).toHaveBeenCalledTimes(1)
    expect(owner.onBackpressure).toHaveBeenCalledTimes(1)
    expect(owner.onTaken).not.toHaveBeenCalled()
  })

  test('does not wait for broadcasts that wait for an incomplete message', async () => {
    const sink = new PartialSink()
    const { sender, owner } = senderTo(sink)
    sender.sendMessage(Buffer.alloc(20_000), more)
    sender.sendShared(new PreparedMessage('x'.repeat(50_000), false, true), {})
    await settled()
    expect(owner.onDrain).toHaveBeenCalledTimes(1)
    expect(sender.sendMessage('end', whole)).toBe(false)
    await settled()
    expect(payloads(sink).map(({ length }) => length)).toEqual([20_000, 3, 50_000])
  })
})

describe('end()', () => {
  test('sends FIN after everything that was accepted, and rejects later messages (F17, F44)', async () => {
    const sink = new PartialSink(false)
    const { sender } = senderTo(sink, { maxBufferedAmount: Infinity }, true)
    const errors: unknown[] = []
    sink.on('error', (error) => errors.push(error))
    const sent = vi.fn()
    sender.sendMessage(Buffer.alloc(3 * MEBI), { ...whole, compress: false }, sent)
    sender.sendMessage('x'.repeat(50_000), whole, sent)
    sender.sendBlob(new Blob(['blob']), whole, sent)
    sender.end()
    const refused = vi.fn<(error?: Error | null) => void>()
    expect(sender.sendMessage('late', whole, refused)).toBe(false)
    expect(sender.sendShared(new PreparedMessage('late', false, true), {})).toBe(false)
    sender.sendControl(Opcode.ping, Buffer.alloc(0), refused)
    while (sender.bufferedBytes > 0) {
      expect(sink.hasEnded).toBe(false)
      sink.release()
      await turn()
    }
    await settled()
    expect(sink.hasEnded).toBe(true)
    expect(errors).toEqual([])
    expect(sent.mock.calls).toEqual([[], [], []])
    expect(refused.mock.calls.map(([error]) => error instanceof Error)).toEqual([true, true])
    const frames = new FrameReader().push(sink.bytes)
    expect(frames.length).toBe(3)
    expect(frames[2]?.payload.toString()).toBe('blob')
  })

  test('ends the socket if nothing was sent', async () => {
    const sink = new PartialSink()
    senderTo(sink).sender.end()
    await settled()
    expect(sink.hasEnded).toBe(true)
  })
})

test('fails the connection if a write throws', async () => {
  const sink = new PartialSink()
  const { sender, owner } = senderTo(sink)
  const cause = new Error('from write()')
  vi.spyOn(sink, 'write').mockImplementation(() => {
    throw cause
  })
  const callback = vi.fn()
  sender.sendMessage('x', whole, callback)
  await settled()
  expect(owner.onSendingFailed.mock.calls).toEqual([[cause, true]])
  expect(callback.mock.calls).toEqual([[cause]])
})
