import { once } from 'node:events'
import { connect } from 'hubwire'
import { expect, test } from 'vitest'
import { clientFrame, FrameReader, opcode } from '../support/raw-frame.js'
import { pausedClient } from '../support/paused-client.js'
import { runningServer } from '../support/running-server.js'

test('waits in a shutdown for its own timeout instead of closeTimeout', async () => {
  const { server, port, next } = await runningServer({ closeTimeout: 100 })
  const [raw, { socket }] = await Promise.all([pausedClient(port), next()])
  const clock = await runningServer({ heartbeat: { interval: 150, timeout: 5000 } })
  const [witness] = await Promise.all([connect(clock.url), clock.next()])
  for (let count = 0; count < 14; count++) socket.send(Buffer.alloc(1024 * 1024))
  const shutdown = server.shutdown({ timeout: 20_000 })
  for (let beats = 0; beats < 3; beats++) await once(witness, 'ping')
  // Now the peer begins to read.
  const reader = new FrameReader()
  let messages = 0
  raw.on('error', () => {})
  raw.on('data', (chunk: Buffer) => {
    for (const frame of reader.push(chunk)) {
      if (frame.opcode === opcode.binary) messages++
      else raw.write(clientFrame({ opcode: opcode.close, payload: Buffer.of(0x03, 0xe9) }))
    }
  })
  raw.resume()
  expect(await shutdown).toEqual({ closed: 1, terminated: 0 })
  expect(messages).toBe(14)
})
