import fc from 'fast-check'
import { Hub, type WebSocket } from 'hubwire'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { turn } from '../support/event-loop.js'
import { pausedClient } from '../support/paused-client.js'
import { FrameReader } from '../support/raw-frame.js'
import { runningServer } from '../support/running-server.js'
import { runs } from '../support/runs.js'

/** A peer over a TCP socket that reads only when the test tells it to. */
class SlowPeer {
  readonly received: string[] = []
  readonly #socket: Socket
  readonly #reader = new FrameReader()

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      for (const { payload } of this.#reader.push(chunk)) this.received.push(payload.toString())
    })
  }

  read(isReading: boolean): void {
    if (isReading) this.#socket.resume()
    else this.#socket.pause()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

const COUNT = 4

const step = fc.record({
  what: fc.constantFrom('broadcast', 'broadcast', 'send', 'send', 'turn', 'read', 'stop', 'fragment'),
  who: fc.nat(COUNT - 1),
  // Some fill the system's buffers, so that later messages wait in the process.
  length: fc.oneof(
    { weight: 10, arbitrary: fc.nat(500) },
    { weight: 2, arbitrary: fc.constantFrom(2048, 16_384, 16_385) },
    { weight: 1, arbitrary: fc.constant(1_000_000) },
  ),
})

test('delivers to slow readers all of their own messages and none of another connection', async () => {
  const { port, next } = await runningServer({ maxBufferedAmount: Number.POSITIVE_INFINITY })
  const run = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 100 }), async (steps) => {
    const hub = new Hub()
    const peers: SlowPeer[] = []
    const sockets: WebSocket<undefined>[] = []
    const expected = Array.from({ length: COUNT }, (): string[] => [])
    for (let index = 0; index < COUNT; index++) {
      const [socket, accepted] = await Promise.all([pausedClient(port), next()])
      peers.push(new SlowPeer(socket))
      sockets.push(accepted.socket)
      hub.group('all').add(accepted.socket)
    }
    for (const [index, { what, who, length }] of steps.entries()) {
      const text = (mark: string): string =>
        `${mark} ${index} `.padEnd(length, `${mark} of connection ${who} `)
      if (what === 'turn') await turn()
      else if (what === 'read' || what === 'stop') peers[who]!.read(what === 'read')
      else if (what === 'broadcast') {
        hub.broadcast('all', text('all'), { except: sockets[who] })
        for (const [other, list] of expected.entries()) if (other !== who) list.push(text('all'))
      } else {
        // A raw peer receives each fragment separately.
        const parts = what === 'send' ? [text(`for ${who}`)] : [text('first'), text('second')]
        for (const [part, data] of parts.entries()) {
          sockets[who]!.send(data, { fin: part === parts.length - 1 })
          expected[who]!.push(data)
        }
      }
    }
    for (const [index, peer] of peers.entries()) {
      sockets[index]!.send('end')
      peer.read(true)
    }
    for (const [index, { received }] of peers.entries()) {
      while (received.at(-1) !== 'end') await turn()
      expect(received.join('\n') === [...expected[index]!, 'end'].join('\n')).toBe(true)
      while (sockets[index]!.bufferedAmount > 0) await turn()
    }
    for (const peer of peers) peer.destroy()
  })
  await fc.assert(run, {
    numRuns: runs(25),
    interruptAfterTimeLimit: runs(15_000),
    markInterruptAsFailure: false,
  })
})
