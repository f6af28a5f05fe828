import { deflateRawSync } from 'node:zlib'
import { connect } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { turn } from '../support/event-loop.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { memoryPair } from '../support/memory-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { runningServer } from '../support/running-server.js'

const MIB = 1024 * 1024
const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }

function compressed(payload: Buffer): Buffer {
  const flushed = deflateRawSync(payload, { finishFlush: 2 })
  return clientFrame({ opcode: opcode.binary, payload: flushed.subarray(0, -4), rsv: 4 })
}

/** A message of so many deflate streams, for each of which zlib is started again (RFC 7692 section 7.2.3.4). */
function severalStreams(count: number): Buffer {
  const finished = Array<Buffer>(count - 1).fill(deflateRawSync('x'))
  const last = deflateRawSync('x', { finishFlush: 2 }).subarray(0, -4)
  return clientFrame({ opcode: opcode.binary, payload: Buffer.concat([...finished, last]), rsv: 4 })
}

/**
 * Floods, and how many of their messages are one share: 1 MiB, of which a frame takes 4,096 and its payload, and a
 * compressed message 57,344 more for each of its deflate streams and what it inflates to. The frame with which the share
 * is used up is still read.
 */
const floods: Record<string, { frame: Buffer; count: number; aShare: number }> = {
  'tiny messages': {
    frame: clientFrame({ opcode: opcode.text, payload: 'x' }),
    count: 20_000,
    aShare: 256,
  },
  'tiny compressed messages': { frame: compressed(Buffer.of(1)), count: 5000, aShare: 18 },
  'tiny messages of 16 deflate streams': { frame: severalStreams(16), count: 1000, aShare: 2 },
  'bombs of 1 KiB that inflate to 1 MiB': { frame: compressed(Buffer.alloc(MIB)), count: 20, aShare: 1 },
  'empty fragments': {
    frame: clientFrame({ opcode: opcode.continuation, payload: '', fin: false }),
    count: 20_000,
    aShare: 256,
  },
}

describe.each(Object.entries(floods))(
  'a peer that floods with %s (F39)',
  (name, { frame, count, aShare }) => {
    test('handles a bounded number of messages between two turns of the event loop', async () => {
      const running = await runningServer({ perMessageDeflate: true })
      const peer = await pausedClient(running.port, DEFLATE)
      const { socket } = await running.next()
      let sinceTurn = 0
      let most = 0
      let received = 0
      const flood = { isOver: false }
      socket.on('message', () => {
        received++
        most = Math.max(most, ++sinceTurn)
      })
      const counting = (async () => {
        while (!flood.isOver) {
          await turn()
          sinceTurn = 0
        }
      })()
      if (name === 'empty fragments')
        peer.write(clientFrame({ opcode: opcode.text, payload: 'x', fin: false }))
      for (let sent = 0; sent < count; sent++) peer.write(frame)
      if (name === 'empty fragments') {
        peer.write(clientFrame({ opcode: opcode.continuation, payload: '' }))
        while (received === 0) await turn()
      } else {
        while (received < count) await turn()
      }
      flood.isOver = true
      await counting
      // One share of a round, which runs after our own turn, and one of a new chunk before the next.
      expect(most).toBeLessThanOrEqual(2 * aShare)
      peer.destroy()
    })

    test('delays other connections by no more than its share of messages', async () => {
      const running = await runningServer({ perMessageDeflate: true })
      let handled = 0
      running.server.on('connection', (socket) => {
        socket.on('message', (data) => {
          if (data === 'bystander') socket.send(data)
          else handled++
        })
      })
      const bystander = await connect(running.url)
      const peers = await Promise.all(
        Array.from({ length: 10 }, async () => pausedClient(running.port, DEFLATE)),
      )
      for (const peer of peers) {
        if (name === 'empty fragments')
          peer.write(clientFrame({ opcode: opcode.text, payload: 'x', fin: false }))
        const some = Math.ceil(count / 10)
        for (let sent = 0; sent < some; sent++) peer.write(frame)
      }
      await turn()
      for (let asked = 0; asked < 5; asked++) {
        const before = handled
        const answer = new Promise((resolve) => bystander.once('message', resolve))
        bystander.send('bystander')
        await answer
        // A round of the others' shares before it, one after it, and what is read while the answer arrives.
        expect(handled - before).toBeLessThanOrEqual(peers.length * aShare * 3)
      }
      for (const peer of peers) peer.destroy()
      bystander.terminate()
    })
  },
)

test('gives a peer one share per turn, however many chunks it sends (F39)', async () => {
  const { socket, clientEnd } = await memoryPair()
  const received = vi.fn()
  socket.on('message', received)
  const chunk = Buffer.concat(Array<Buffer>(500).fill(clientFrame({ opcode: opcode.text, payload: 'x' })))
  for (let sent = 0; sent < 10; sent++) clientEnd.write(chunk)
  let before = 0
  while (before < 5000) {
    await turn()
    const { length } = received.mock.calls
    expect(length - before).toBeLessThanOrEqual(2 * 256)
    before = length
  }
})
