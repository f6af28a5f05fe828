import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { beforeEach, describe, expect, test } from 'vitest'
import { Example } from '../support/example.js'
import { handshakeText, readHead } from '../support/http-exchange.js'
import { RawPeer } from '../support/raw-peer.js'
import { opcode } from '../support/raw-frame.js'
import { refused } from '../support/refused.js'

let example: Example
beforeEach(async () => {
  example = await Example.forTest('prometheus')
})

/** The samples of the server `echo`, by name and the other labels. */
async function scrapeEcho(): Promise<Record<string, number>> {
  const own = Object.entries(await scrape()).filter(([sample]) => sample.includes('server="echo"'))
  return Object.fromEntries(
    own.map(([sample, value]) => [sample.replace(/server="echo",?/, '').replace('{}', ''), value]),
  )
}

/** The samples as Prometheus gets them, by name and labels. */
async function scrape(): Promise<Record<string, number>> {
  const response = await fetch(example.http('/metrics'))
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').pop())]),
  )
}

/** The samples of one metric by the value of its label. */
async function scrapeByLabel(name: string): Promise<Record<string, number>> {
  const samples = Object.entries(await scrape()).map(
    ([sample, value]) =>
      [new RegExp(`^${name}\\{server="echo",\\w+="(.*)"\\}$`).exec(sample)?.[1], value] as const,
  )
  return Object.fromEntries(samples.filter(([label]) => label !== undefined)) as Record<string, number>
}

interface Connected {
  readonly socket: Socket
  readonly peer: RawPeer
  /** The bytes of the opening handshake, which are not counted. */
  readonly handshake: { readonly bytesWritten: number; readonly bytesRead: number }
}

async function open(): Promise<Connected> {
  const socket = connect(example.port, '127.0.0.1')
  socket.write(handshakeText({}, 'GET /ws/echo HTTP/1.1'))
  const { line, rest } = await readHead(socket)
  expect(line).toBe('HTTP/1.1 101 Switching Protocols')
  const { bytesWritten, bytesRead } = socket
  const handshake = { bytesWritten, bytesRead: bytesRead - rest.length }
  return { socket, handshake, peer: new RawPeer(socket, 'client', rest) }
}

async function echo({ peer }: Connected, ...messages: string[]): Promise<void> {
  for (const message of messages) {
    const payload = Buffer.from(message)
    peer.write(peer.encode({ opcode: opcode.text, payload, fin: true, rsv: 0 }))
    expect((await peer.next())?.payload).toEqual(payload)
  }
}

/** Closes, and waits until the server has logged the close. */
async function close({ peer, socket }: Connected, code: number): Promise<void> {
  const closed = once(socket, 'close')
  const payload = Buffer.of(code >> 8, code & 0xff)
  peer.write(peer.encode({ opcode: opcode.close, payload, fin: true, rsv: 0 }))
  await closed
  await example.program.line(new RegExp(`closed by the remote end: ${code}`))
}

test('starts with every metric at zero', async () => {
  const samples = await scrapeEcho()
  expect(samples).toEqual({
    websocket_connections: 0,
    websocket_buffered_bytes: 0,
    websocket_accepted_total: 0,
    websocket_failed_handlers_total: 0,
    'websocket_messages_total{direction="received"}': 0,
    'websocket_messages_total{direction="sent"}': 0,
    'websocket_bytes_total{direction="received"}': 0,
    'websocket_bytes_total{direction="sent"}': 0,
  })
})

describe('after known traffic', () => {
  test('counts connections, messages and bytes', async () => {
    const clients = [await open(), await open(), await open()]
    const [first, second, third] = clients as [Connected, Connected, Connected]
    await echo(first, 'one', 'two', 'three')
    await echo(second, 'x'.repeat(70_000))
    await close(first, 1000)
    await echo(third, 'four')

    const sum = (count: 'bytesWritten' | 'bytesRead'): number =>
      clients.reduce((bytes, { socket, handshake }) => bytes + socket[count] - handshake[count], 0)
    const samples = await scrapeEcho()
    expect(samples).toMatchObject({
      websocket_connections: 2,
      websocket_buffered_bytes: 0,
      websocket_accepted_total: 3,
      'websocket_messages_total{direction="received"}': 5,
      'websocket_messages_total{direction="sent"}': 5,
      'websocket_bytes_total{direction="received"}': sum('bytesWritten'),
      'websocket_bytes_total{direction="sent"}': sum('bytesRead'),
    })
    // A scrape does not change the counts.
    expect(await scrapeEcho()).toEqual(samples)
    second.peer.destroy()
    third.peer.destroy()
  })

  test('counts refused handshakes by reason', async () => {
    for (const Origin of ['https://evil.example', 'https://other.example']) {
      expect((await refused(example.port, { Origin }, 'GET /ws/echo HTTP/1.1')).status).toBe(403)
    }
    await refused(example.port, { 'Sec-WebSocket-Key': undefined }, 'GET /ws/echo HTTP/1.1')
    // A path without a server counts for neither.
    await refused(example.port, {}, 'GET /ws/nothing HTTP/1.1')
    expect(await scrapeByLabel('websocket_refused_total')).toEqual({ origin: 2, handshake: 1 })
    expect((await scrapeEcho()).websocket_accepted_total).toBe(0)
  })

  test('counts broken connections by cause', async () => {
    const [reset, left, wrong, good] = [await open(), await open(), await open(), await open()]
    reset.peer.reset()
    await example.program.line(/1006 .*ECONNRESET/)
    left.peer.end()
    await example.program.line(/closed by the remote end: 1006 +$/)
    const payload = Buffer.of(0xff)
    wrong.peer.write(wrong.peer.encode({ opcode: opcode.text, payload, fin: true, rsv: 0 }))
    await example.program.line(/closed by the local end: 1006 .*UTF-8/)
    await close(good, 1000)
    expect(await scrapeByLabel('websocket_terminated_total')).toEqual({
      ECONNRESET: 1,
      none: 1,
      WS_ERR_INVALID_UTF8: 1,
    })
  })

  test('records the duration of connections by close code', async () => {
    const clients = [await open(), await open(), await open()]
    await close(clients[0]!, 1000)
    await close(clients[1]!, 4000)
    await close(clients[2]!, 4001)
    expect(await scrapeByLabel('websocket_connection_seconds_count')).toEqual({
      '1000': 1,
      '4000': 1,
      '4001': 1,
    })
    const samples = await scrapeEcho()
    expect(samples['websocket_connection_seconds_bucket{le="+Inf",code="4000"}']).toBe(1)
    expect(samples['websocket_connection_seconds_sum{code="4000"}']).toBeGreaterThan(0)
  })
})

test('labels the metrics of each server with its name (N11)', async () => {
  const clients = [await example.connect('/ws/time'), await example.connect('/ws/time')]
  for (const { received } of clients) expect(await received.next()).toMatch(/Z$/)
  const samples = await scrape()
  expect(samples['websocket_connections{server="time"}']).toBe(2)
  expect(samples['websocket_connections{server="echo"}']).toBe(0)
  expect(samples['websocket_messages_total{server="time",direction="sent"}']).toBe(2)
  expect(samples['websocket_messages_total{server="echo",direction="sent"}']).toBe(0)
  for (const { socket } of clients) socket.terminate()
})

test('answers other plain requests and upgrades to other paths with 404', async () => {
  expect((await fetch(example.http('/ws/echo'))).status).toBe(404)
  expect((await refused(example.port, {}, 'GET /metrics HTTP/1.1')).status).toBe(404)
})

test('closes its clients with 1001 on SIGTERM and exits', async () => {
  await example.expectToStop(await example.connect('/ws/echo'), await example.connect('/ws/echo'))
})
