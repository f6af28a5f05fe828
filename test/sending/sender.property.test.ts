import fc from 'fast-check'
import { inflateRawSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { MessageDeflater } from '#src/protocol/message-deflater.js'
import { Opcode } from '#src/protocol/opcodes.js'
import { PreparedMessage } from '#src/sending/prepared-message.js'
import { Sender, type SenderOwner } from '#src/sending/sender.js'
import { Traffic } from '#src/sending/traffic.js'
import { turn } from '../support/event-loop.js'
import { PartialSink } from '../support/partial-sink.js'
import { FrameReader } from '../support/raw-frame.js'
import { FLUSH_TAIL } from '../support/zlib-peer.js'

/** Enough for each run: 5,000 of each take 20 s. */
const RUNS = 50

const lengths = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  { weight: 2, arbitrary: fc.constantFrom(4096, 4097, 8192, 8193, 16_383, 16_384, 20_000) },
  { weight: 1, arbitrary: fc.constantFrom(100_000, 600_000, 1_100_000) },
)

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('text', 'bytes', 'blob', 'shared'),
      length: lengths,
      fin: fc.boolean(),
      compress: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('control'), length: fc.nat(125) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('turn', 'release') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('open', 'stall') }) },
)

interface Step {
  do: string
  length?: number
  fin?: boolean
  compress?: boolean
}

interface Sent {
  readonly length: number
  /** Whether it is part of a message, which bufferedAmount counts. */
  readonly isData: boolean
  /** The results of its callback. A shared message has none. */
  readonly results: (Error | undefined)[] | undefined
}

/** The letter that fills the frame with this number. */
const letter = (index: number): string => String.fromCharCode(97 + (index % 26))

class Run {
  readonly sink: PartialSink
  readonly sender: Sender
  readonly sent: Sent[] = []
  readonly owner = {
    onTaken: vi.fn(),
    onIdle: vi.fn(),
    onDrain: vi.fn(),
    onBackpressure: vi.fn(),
    onSendingFailed: vi.fn(),
    onCallbackFailed: vi.fn(),
  } satisfies SenderOwner
  /** Shared messages wait until the current message is complete. */
  #held: Sent[] = []
  #isFragmented = false

  constructor(isCompressing: boolean) {
    this.sink = new PartialSink(false, 16 * 1024)
    this.sender = new Sender(
      this.sink,
      { maxBufferedAmount: Infinity, slowPolicy: 'terminate', traffic: new Traffic() },
      this.owner,
      isCompressing
        ? new MessageDeflater({
            windowBits: 15,
            contextTakeover: false,
            threshold: 200,
            level: 1,
            memLevel: 8,
          })
        : undefined,
    )
    this.sink.on('drain', () => {
      this.sender.drain()
    })
  }

  async take({ do: what, length = 0, fin = true, compress = true }: Step): Promise<void> {
    const text = letter(this.sent.length + this.#held.length).repeat(length)
    const results: (Error | undefined)[] = []
    const callback = (error?: Error | null): void => {
      results.push(error ?? undefined)
    }
    const options = { isBinary: true, compress, fin }
    if (what === 'turn') await turn()
    else if (what === 'release') this.sink.release()
    else if (what === 'open') {
      this.sink.isOpen = true
      this.sink.release()
    } else if (what === 'stall') this.sink.isOpen = false
    else if (what === 'control') {
      this.sender.sendControl(Opcode.ping, Buffer.from(text), callback)
      this.sent.push({ length, isData: false, results })
    } else if (what === 'shared') {
      this.sender.sendShared(new PreparedMessage(Buffer.from(text), true, compress), {})
      const shared = { length, isData: true, results: undefined }
      if (this.#isFragmented) this.#held.push(shared)
      else this.sent.push(shared)
    } else {
      if (what === 'blob') this.sender.sendBlob(new Blob([text]), options, callback)
      else this.sender.sendMessage(what === 'text' ? text : Buffer.from(text), options, callback)
      this.sent.push({ length, isData: true, results })
      this.#isFragmented = !fin
      if (fin) this.sent.push(...this.#held.splice(0))
    }
  }

  /** Completes the current message, so that nothing waits for it. */
  async finish(): Promise<void> {
    if (this.#isFragmented) await this.take({ do: 'text', length: 1 })
  }

  /** The expected lengths of the payloads, in order of the frames. */
  received(): number[] {
    let isCompressed = false
    return new FrameReader().push(this.sink.bytes).map(({ opcode, rsv, fin, payload }) => {
      if (opcode === Opcode.ping) return payload.length
      if (opcode !== Opcode.continuation) isCompressed = rsv === 4
      if (!isCompressed) return payload.length
      return inflateRawSync(fin ? Buffer.concat([payload, FLUSH_TAIL]) : payload, { finishFlush: 2 }).length
    })
  }

  /** The bytes of messages that were sent, including those that wait. */
  dataSent(): number {
    return [...this.sent, ...this.#held].reduce((sum, { length, isData }) => sum + (isData ? length : 0), 0)
  }

  /** The bytes of messages that were taken, including those of a frame that was taken in part. */
  dataTaken(): number {
    const { bytes } = this.sink
    let data = 0
    for (let offset = 0; offset < bytes.length;) {
      const short = bytes[offset + 1]!
      const length =
        short < 126
          ? short
          : short === 126
            ? bytes.readUInt16BE(offset + 2)
            : Number(bytes.readBigUInt64BE(offset + 2))
      const start = offset + (short < 126 ? 2 : short === 126 ? 4 : 10)
      if ((bytes[offset]! & 15) < 8) data += Math.min(length, bytes.length - start)
      offset = start + length
    }
    return data
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      this.sink.release()
      await turn()
    }
  }
}

test('writes everything in order, calls each callback once and counts nothing as buffered at the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(step, { maxLength: 30 }), async (isCompressing, steps) => {
      const run = new Run(isCompressing)
      for (const one of steps) {
        await run.take(one)
        if (!isCompressing) expect(run.sender.bufferedAmount).toBe(run.dataSent() - run.dataTaken())
      }
      await run.finish()
      run.sender.end()
      await run.until(() => run.sender.bufferedBytes === 0 && run.sink.hasEnded)
      await turn()
      expect(run.received()).toEqual(run.sent.map(({ length }) => length))
      expect(run.sender.bufferedAmount).toBe(0)
      expect(run.sender.bytesTaken).toBe(run.sink.bytes.length)
      for (const { results } of run.sent) expect(results ?? [undefined]).toEqual([undefined])
      expect(run.owner.onDrain.mock.calls.length).toBe(run.owner.onBackpressure.mock.calls.length)
    }),
    { numRuns: RUNS },
  )
})

test('writes a prefix of the frames after a failure at any time, and calls the callbacks accordingly', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(step, { maxLength: 25 }),
      fc.array(step, { maxLength: 5 }),
      fc.boolean(),
      async (isCompressing, before, after, isDestroyed) => {
        const run = new Run(isCompressing)
        for (const one of before) await run.take(one)
        if (isDestroyed) run.sink.destroy()
        const cause = new Error('the cause')
        run.sender.fail(cause)
        const left = [run.sender.bufferedAmount, run.sender.bufferedBytes, run.sender.bytesTaken]
        for (const one of after) await run.take(one)
        run.sender.end()
        await run.until(() => run.sent.every(({ results }) => results === undefined || results.length > 0))
        await turn()
        expect([run.sender.bufferedAmount, run.sender.bufferedBytes, run.sender.bytesTaken]).toEqual(left)
        const told = run.sent.flatMap(({ results }) => results ?? [])
        expect(told.length).toBe(run.sent.filter(({ results }) => results !== undefined).length)
        expect(told.every((error) => error === undefined || error === cause)).toBe(true)
        const received = run.received()
        expect(received).toEqual(run.sent.slice(0, received.length).map(({ length }) => length))
        const succeeded = run.sent.findLastIndex(({ results }) => results?.[0] === undefined && results) + 1
        expect(succeeded).toBeLessThanOrEqual(received.length)
      },
    ),
    { numRuns: RUNS },
  )
})
