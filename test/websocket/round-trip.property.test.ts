import fc from 'fast-check'
import type { PerMessageDeflateOptions, WebSocket } from 'hubwire'
import { expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { turn } from '../support/event-loop.js'
import { openPair } from '../support/open-pair.js'
import { runs } from '../support/runs.js'

const windowBits = fc.option(fc.integer({ min: 9, max: 15 }), { nil: undefined })

const deflate = fc.record<PerMessageDeflateOptions>(
  {
    serverNoContextTakeover: fc.boolean(),
    clientNoContextTakeover: fc.boolean(),
    serverMaxWindowBits: windowBits,
    clientMaxWindowBits: windowBits,
    threshold: fc.constantFrom(0, 1, 100, 10_000),
    zlibDeflateOptions: fc.record({
      level: fc.integer({ min: 0, max: 9 }),
      memLevel: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { requiredKeys: [] },
)

const compression = fc.oneof(fc.constant(false), fc.constant(true), deflate)

const length = fc.oneof(
  { weight: 10, arbitrary: fc.nat(300) },
  { weight: 3, arbitrary: fc.constantFrom(0, 125, 126, 2048, 2049, 16_384, 16_385, 65_535, 65_536) },
  { weight: 1, arbitrary: fc.constantFrom(70_000, 150_000, 400_000) },
)

const message = fc.record({
  kind: fc.constantFrom('text', 'binary'),
  parts: fc.array(length, { minLength: 1, maxLength: 4 }),
  compress: fc.boolean(),
})

const step = fc.oneof(
  { weight: 6, arbitrary: message },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('ping', 'pong'), data: fc.string({ maxLength: 30 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('turn', 'pause', 'resume') }) },
)

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** Text or bytes that compress well, badly, or not at all. */
function content(size: number, seed: number): string {
  const unit = ['x', 'wörd ', '€uro 🙂 ', String.fromCodePoint(33 + (seed % 90))][seed % 4]!
  return unit
    .repeat(Math.ceil(size / unit.length))
    .slice(0, size)
    .replace(/[\ud800-\udbff]$/, '?')
}

/** Does the steps at one end, and says what the other has to see. */
async function perform(near: WebSocket, far: WebSocket, steps: readonly Step[]): Promise<string[]> {
  const expected: string[] = []
  for (const [index, now] of steps.entries()) {
    if ('parts' in now) {
      const parts = now.parts.map((size, part) => content(size, index + part))
      for (const [at, part] of parts.entries()) {
        // What stands between fragments is a message of its own only if it is a control frame.
        near.send(now.kind === 'text' ? part : Buffer.from(part), {
          compress: now.compress,
          fin: at === parts.length - 1,
        })
      }
      expected.push(`${now.kind} ${parts.join('')}`)
    } else if ('data' in now) {
      const data = Buffer.from(now.data).subarray(0, 125)
      near[now.kind](data)
      expected.push(`${now.kind} ${data.toString('hex')}`)
    } else if (now.kind === 'turn') await turn()
    else if (now.kind === 'pause') far.pause()
    else far.resume()
  }
  return expected
}

function record(socket: WebSocket): string[] {
  const seen: string[] = []
  socket.on('message', (data, isBinary) => {
    seen.push(`${isBinary ? 'binary' : 'text'} ${isBinary ? (data as Buffer).toString() : data}`)
  })
  socket.on('ping', (data) => seen.push(`ping ${data.toString('hex')}`))
  socket.on('pong', (data) => seen.push(`pong ${data.toString('hex')}`))
  return seen
}

test('delivers what the other end sends, in any chunks and with any parameters', async () => {
  await fc.assert(
    fc.asyncProperty(
      compression,
      compression,
      fc.array(step, { maxLength: 25 }),
      fc.array(step, { maxLength: 25 }),
      async (serverDeflate, clientDeflate, fromClient, fromServer) => {
        const { client, socket } = await openPair({
          // Pongs are only those of the steps.
          server: {
            perMessageDeflate: serverDeflate,
            maxPayload: 4_000_000,
            autoPong: false,
            maxBufferedAmount: Infinity,
          },
          client: {
            perMessageDeflate: clientDeflate,
            maxPayload: 4_000_000,
            autoPong: false,
            maxBufferedAmount: Infinity,
          },
        })
        const server = socket as WebSocket
        const [atServer, atClient] = [record(server), record(client)]
        const closes = Promise.all([closeOf(client), closeOf(server)])
        const [forServer, forClient] = await Promise.all([
          perform(client, server, fromClient),
          perform(server, client, fromServer),
        ])
        client.resume()
        server.resume()
        client.close(1000)
        server.close(1000)
        const [clientClose, serverClose] = await closes
        expect([clientClose.wasClean, clientClose.cause]).toEqual([true, undefined])
        expect([serverClose.wasClean, serverClose.cause]).toEqual([true, undefined])
        // Compared as wholes: a difference is shown by its place, not by a million characters.
        for (const [seen, wanted] of [
          [atServer, forServer],
          [atClient, forClient],
        ] as const) {
          expect(seen.length).toBe(wanted.length)
          expect(seen.findIndex((event, index) => event !== wanted[index])).toBe(-1)
        }
      },
    ),
    { numRuns: runs(100) },
  )
})
