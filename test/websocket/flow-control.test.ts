import fc from 'fast-check'
import { connect, type WebSocket } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { openPair } from '../support/open-pair.js'
import { runs } from '../support/runs.js'
import { runningServer } from '../support/running-server.js'

const MIB = 1024 * 1024

type End = Pick<WebSocket, 'send' | 'on' | 'once'>

/** Resolves once `count` messages have come. */
function receive(socket: End, count: number): Promise<void> {
  return new Promise((resolve) => {
    let received = 0
    socket.on('message', () => {
      if (++received === count) resolve()
    })
  })
}

/** Sends messages, and waits for `'drain'` whenever it is asked to. */
async function send(socket: End, messages: readonly Buffer[]): Promise<void> {
  for (const message of messages) {
    if (socket.send(message)) continue
    await new Promise<void>((resolve) => {
      socket.once('drain', () => {
        resolve()
      })
    })
  }
}

describe('two ends that send to each other', () => {
  test('finish when each sends 14 MiB at once (F1)', async () => {
    const { client, socket } = await openPair()
    const received = [receive(client, 14), receive(socket, 14)]
    for (const end of [client, socket]) for (let count = 0; count < 14; count++) end.send(Buffer.alloc(MIB))
    await Promise.all(received)
  })

  test("finish with messages above maxBufferedAmount if they wait for 'drain' (F1)", async () => {
    const options = { maxBufferedAmount: MIB, maxPayload: 4 * MIB }
    const { client, socket } = await openPair({ server: options, client: options })
    const messages = Array.from({ length: 6 }, () => Buffer.alloc(4 * MIB))
    await Promise.all([
      receive(client, 6),
      receive(socket, 6),
      send(client, messages),
      send(socket, messages),
    ])
  })

  test('finish whatever is sent, echoed, compressed and paused', { timeout: runs(60_000) }, async () => {
    const side = fc.record({
      lengths: fc.array(fc.oneof(fc.nat(200), fc.nat(300_000)), { maxLength: 12 }),
      echoes: fc.boolean(),
      limit: fc.constantFrom(64 * 1024, MIB, 16 * MIB),
      pauseEvery: fc.constantFrom(0, 2, 5),
    })
    await fc.assert(
      fc.asyncProperty(side, side, fc.boolean(), async (one, other, perMessageDeflate) => {
        // A synchronous echo cannot wait for 'drain': what it may cause has to fit.
        const limitOf = (mine: typeof one): number => (mine.echoes ? 16 * MIB : mine.limit)
        const running = await runningServer({ maxBufferedAmount: limitOf(one), perMessageDeflate })
        const [client, { socket }] = await Promise.all([
          connect(running.url, { maxBufferedAmount: limitOf(other), perMessageDeflate }),
          running.next(),
        ])
        const work = async (
          end: End & Pick<WebSocket, 'pause' | 'resume'>,
          mine: typeof one,
          theirs: typeof one,
        ) => {
          const expected = theirs.lengths.length + (theirs.echoes ? mine.lengths.length : 0)
          let received = 0
          const all = new Promise<void>((resolve) => {
            if (expected === 0) resolve()
            end.on('message', (data) => {
              const bytes = data as Buffer
              if (mine.echoes && bytes[0] === 0) end.send(Buffer.concat([Buffer.of(1), bytes.subarray(1)]))
              if (mine.pauseEvery > 0 && received % mine.pauseEvery === 0) {
                end.pause()
                setImmediate(() => {
                  end.resume()
                })
              }
              if (++received === expected) resolve()
            })
          })
          await send(
            end,
            mine.lengths.map((length) => Buffer.alloc(length + 1)),
          )
          await all
        }
        await Promise.all([work(socket, one, other), work(client, other, one)])
        client.close()
        expect(await closeOf(socket)).toMatchObject({ wasClean: true, dropped: 0 })
        await running.server.shutdown()
      }),
      { numRuns: runs(20) },
    )
  })
})
