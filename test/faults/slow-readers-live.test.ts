import { once } from 'node:events'
import { connect } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { pausedClient } from '../support/paused-client.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { runningServer } from '../support/running-server.js'

test('does not treat a peer as silent that reads slowly and answers what it has read', async () => {
  const { port, url, next } = await runningServer({ heartbeat: { interval: 200, timeout: 200 } })
  const clock = await connect(url)
  await next()
  const [raw, { socket }] = await Promise.all([pausedClient(port), next()])
  for (let count = 0; count < 14; count++) socket.send(Buffer.alloc(1024 * 1024))
  let read = 0
  const timer = setInterval(() => {
    read += ((raw.read(64 * 1024) ?? raw.read()) as Buffer | null)?.length ?? 0
  }, 10)
  onTestFinished(() => {
    clearInterval(timer)
    raw.destroy()
  })
  const ended = closeOf(socket)
  for (let beats = 0; beats < 6; beats++) {
    const before = read
    const outcome = await Promise.race([once(clock, 'ping'), ended])
    expect(outcome).not.toMatchObject({ code: 1006 })
    // The peer has read something meanwhile.
    expect(read).toBeGreaterThan(before)
  }
})

test('does not treat a peer as silent while this end pauses reading from it', async () => {
  const { port, url, next } = await runningServer({ heartbeat: { interval: 200, timeout: 200 } })
  const clock = await connect(url)
  await next()
  const [raw, { socket }] = await Promise.all([pausedClient(port), next()])
  raw.on('error', () => {})
  socket.on('message', () => {
    // An answer to each question. Above 8 MiB of queued answers, the questions are no longer read.
    if (socket.bufferedAmount < 10 * 1024 * 1024) socket.send(Buffer.alloc(1024 * 1024))
  })
  const question = clientFrame({ opcode: opcode.text, payload: 'more' })
  const timer = setInterval(() => {
    if (raw.writableLength === 0) raw.write(question)
    if (raw.read(64 * 1024) === null) raw.read()
  }, 5)
  onTestFinished(() => {
    clearInterval(timer)
    raw.destroy()
  })
  const ended = closeOf(socket)
  for (let beats = 0; beats < 10; beats++) {
    expect(await Promise.race([once(clock, 'ping'), ended])).not.toMatchObject({ code: 1006 })
  }
})
