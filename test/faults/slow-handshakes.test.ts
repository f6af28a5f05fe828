import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import { connect, WebSocketServer } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { handshakeText } from '../support/http-exchange.js'
import { endWithTest, runningServer } from '../support/running-server.js'

const COUNT = 50

/** Collects the server's ends of TCP connections, by port, because a server with its own port does not expose them. */
function acceptedSockets(): (port: number) => Socket[] {
  const sockets: { socket: Socket; port: number | undefined }[] = []
  const note = (message: unknown): void => {
    const { socket } = message as { socket: Socket }
    sockets.push({ socket, port: socket.localPort })
  }
  subscribe('net.server.socket', note)
  onTestFinished(() => {
    unsubscribe('net.server.socket', note)
  })
  return (port) => sockets.filter((one) => one.port === port).map(({ socket }) => socket)
}

/** A client that never ends its side, so that only the server ends the connection. */
async function openSlow(port: number, begin: string): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  if (begin !== '') socket.write(begin)
  let text = ''
  const answer = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => (text += chunk.toString()))
    for (const end of ['end', 'error'] as const) socket.once(end, () => resolve(text))
  })
  return { socket, answer }
}

const whole = handshakeText()

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.getConnections((_error, count) => resolve(count))
  })
}

describe(`${COUNT} clients that send no more than`, () => {
  test.each([
    ['nothing', ''],
    ['half of a line', whole.slice(0, 9)],
    ['half of a request', whole.slice(0, whole.length / 2)],
    ['all but the last byte of one', whole.slice(0, -1)],
  ])('%s receive a 408 and hold no socket, while other clients are served', async (_what, begin) => {
    const accepted = acceptedSockets()
    const { server, port, url } = await runningServer({ handshakeTimeout: 500, maxConnections: 1 })
    const slow = await Promise.all(Array.from({ length: COUNT }, () => openSlow(port, begin)))
    const client = await connect(url)
    expect(server.stats()).toMatchObject({ connections: 1, accepted: 1 })
    for (const { answer } of slow) expect(await answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(accepted(port)).toHaveLength(COUNT + 1)
    expect(accepted(port).filter((socket) => !socket.destroyed)).toHaveLength(1)
    const closed = closeOf(client)
    client.close(1000)
    expect(await closed).toMatchObject({ code: 1000, wasClean: true })
  })

  test('one byte at a time are closed as well', async () => {
    const accepted = acceptedSockets()
    const { port } = await runningServer({ handshakeTimeout: 500 })
    const slow = await Promise.all(Array.from({ length: COUNT }, () => openSlow(port, '')))
    let offset = 0
    const timer = setInterval(() => {
      for (const { socket } of slow)
        if (socket.writable) socket.write(whole.charAt(offset % (whole.length - 1)))
      offset++
    }, 10)
    onTestFinished(() => {
      clearInterval(timer)
    })
    await Promise.all(slow.map(({ answer }) => answer))
    expect(accepted(port)).toHaveLength(COUNT)
    expect(accepted(port).filter((socket) => !socket.destroyed)).toEqual([])
  })

  test('a whole request whose check never ends receive a 503 and hold no socket', async () => {
    const aborted: AbortSignal[] = []
    const http = createServer().listen(0, '127.0.0.1')
    await once(http, 'listening')
    const server = new WebSocketServer({
      server: http,
      handshakeTimeout: 500,
      authenticate: (_request, { signal }) => {
        aborted.push(signal)
        return new Promise<never>(() => {})
      },
    })
    endWithTest(server)
    onTestFinished(() => {
      http.close()
    })
    const { port } = http.address() as { port: number }
    const slow = await Promise.all(Array.from({ length: COUNT }, () => openSlow(port, whole)))
    for (const { answer } of slow) expect(await answer).toMatch(/^HTTP\/1\.1 503 /)
    expect(aborted.map((signal) => signal.aborted)).toEqual(Array.from({ length: COUNT }, () => true))
    // The last of them may still be closing.
    while ((await connectionsOf(http)) > 0) await settled()
    expect(server.stats()).toMatchObject({ connections: 0, refused: { handshakeTimeout: COUNT } })
  })
})
