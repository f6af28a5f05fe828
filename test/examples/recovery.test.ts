import { WebSocket } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
import { follow } from '../../examples/recovery/page/follow.js'
import { until } from '../support/event-loop.js'
import { Example } from '../support/example.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'

const CLIENTS = 9

test('misses nothing while all workers are replaced, counted', requires('redis-server'), async () => {
  const { path } = await RedisServer.start()
  const example = await Example.forTest('recovery', { REDIS_URL: `unix://${path}` })
  const options = { WebSocket, log: false as const, delay: { min: 0, first: 20, max: 40 } }
  const clients = Array.from({ length: CLIENTS }, () =>
    follow(`ws://127.0.0.1:${example.port}/news`, options),
  )
  onTestFinished(() => {
    for (const { socket } of clients) socket.close()
  })
  await until(() => clients.every(({ counts }) => counts.messages > 10))
  for (let round = 1; round <= 2; round++) {
    const before = clients.map(({ counts }) => counts.connections)
    const seen = example.program.lines.length
    example.program.signal('SIGHUP')
    await until(() => example.program.lines.slice(seen).includes('All workers have been replaced'))
    await until(() => clients.every(({ counts }, index) => counts.connections > before[index]!))
  }
  const received = clients.map(({ counts }) => counts.messages)
  await until(() => clients.every(({ counts }, index) => counts.messages > received[index]! + 10))
  for (const { counts } of clients) expect(counts).toMatchObject({ missing: 0, twice: 0, reloads: 0 })
  for (const { counts } of clients) expect(counts.connections).toBeGreaterThan(2)
})

test('serves the page, the client and nothing else', requires('redis-server'), async () => {
  const { path } = await RedisServer.start()
  const example = await Example.forTest('recovery', { REDIS_URL: `unix://${path}`, WORKERS: '1' })
  for (const [place, text] of [
    ['/', '<h1>News</h1>'],
    ['/follow.js', 'new ReconnectingWebSocket('],
    ['/hubwire/index.js', 'ReconnectingWebSocket'],
  ] as const) {
    const response = await fetch(example.http(place))
    expect(await response.text(), place).toContain(text)
  }
  for (const place of ['/hubwire', '/server.js', '/../server.js', '/missing.js', '/hubwire/']) {
    expect((await fetch(example.http(place))).status, place).toBe(404)
  }
  const exit = example.program.stop('SIGTERM')
  expect(await exit).toEqual({ code: 0, signal: null })
})
