import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { connect as connectSocket, type AddressInfo } from 'node:net'
import { connect, WebSocketServer } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../support/certificate.js'
import { exchange } from '../support/http-exchange.js'
import { endWithTest } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'

/** What Java's HttpClient adds to plain requests until it knows that the server does not support HTTP/2. */
const H2C = {
  Connection: 'Upgrade, HTTP2-Settings',
  Upgrade: 'h2c',
  'HTTP2-Settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
}

/** Responds with the parts of the request. */
function answer(incoming: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    const body = Buffer.concat(chunks).toString()
    const { upgrade, 'http2-settings': settings } = incoming.headers
    const isKnown = incoming.socket.remoteAddress === '127.0.0.1'
    response.end(
      JSON.stringify([incoming.method, incoming.url, upgrade, settings !== undefined, isKnown, body]),
    )
  })
}

/** What {@link answer} reports for a request without its Upgrade header. */
const plain = (method: string, url: string, body: string): unknown[] => [method, url, null, true, true, body]

const certificate = makeCertificate()

/** Starts an HTTP server with a WebSocket server, and returns a function that sends requests over one connection. */
async function start(isSecure: boolean): Promise<{
  http: Server
  port: number
  send: (
    method: string,
    path: string,
    body: readonly string[],
    fields?: Record<string, string>,
  ) => Promise<unknown>
  sockets: Set<string>
}> {
  const http = isSecure ? createSecureServer(certificate, answer) : createServer(answer)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  endWithTest(new WebSocketServer({ server: http }))
  const { port } = http.address() as AddressInfo
  const options = { keepAlive: true, maxSockets: 1 }
  const agent = isSecure ? new SecureAgent({ ...options, ca: certificate.cert }) : new Agent(options)
  onTestFinished(() => {
    agent.destroy()
    http.close()
    http.closeAllConnections()
  })
  const sockets = new Set<string>()
  const send = async (
    method: string,
    path: string,
    body: readonly string[],
    fields: Record<string, string> = {},
  ): Promise<unknown> => {
    const where = { agent, port, host: '127.0.0.1', servername: 'localhost', method, path }
    const outgoing = (isSecure ? secureRequest : request)({ ...where, headers: { ...H2C, ...fields } })
    const responded = once(outgoing, 'response') as Promise<[IncomingMessage]>
    for (const part of body) await new Promise((resolve) => outgoing.write(part, resolve))
    outgoing.end()
    const [response] = await responded
    sockets.add(`${response.socket.localPort}`)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown
  }
  return { http, port, send, sockets }
}

describe.each([
  ['http', false],
  ['https', true],
])('a plain request with Upgrade: h2c to a shared %s.Server (F51)', (_name, isSecure) => {
  test('reaches the application without the Upgrade header', async () => {
    const { send } = await start(isSecure)
    expect(await send('GET', '/a?b=c', [])).toEqual(plain('GET', '/a?b=c', ''))
  })

  test('keeps its body, with or without Content-Length, in one chunk or several', async () => {
    const { send } = await start(isSecure)
    const length = { 'Content-Length': '11' }
    expect(await send('POST', '/', ['hello world'], length)).toEqual(plain('POST', '/', 'hello world'))
    expect(await send('POST', '/', ['hello ', 'world'], length)).toEqual(plain('POST', '/', 'hello world'))
    expect(await send('PUT', '/x', ['hello ', 'chunked ', 'world'])).toEqual(
      plain('PUT', '/x', 'hello chunked world'),
    )
    const large = 'x'.repeat(1_000_000)
    expect(await send('POST', '/', [large, large])).toEqual(plain('POST', '/', large + large))
  })

  test('keeps its connection for further requests, without leaking listeners', async () => {
    const { http, send, sockets } = await start(isSecure)
    const warnings: Error[] = []
    const { port } = http.address() as AddressInfo
    // Sockets of other tests may warn meanwhile.
    const warn = (warning: Error & { emitter?: { localPort?: number } }): void => {
      if (warning.emitter?.localPort === port) warnings.push(warning)
    }
    process.on('warning', warn)
    onTestFinished(() => {
      process.off('warning', warn)
    })
    for (let count = 0; count < 30; count++) {
      expect(await send('POST', `/${count}`, count % 2 ? ['body'] : [])).toMatchObject({ 1: `/${count}` })
    }
    expect(sockets.size).toBe(1)
    expect(warnings).toEqual([])
    const connections = await new Promise((resolve) => {
      http.getConnections((_error, count) => {
        resolve(count)
      })
    })
    expect(connections).toBe(1)
  })
})

describe('such a request (F51)', () => {
  test('may be followed by another request in the same chunk', async () => {
    const { port } = await start(false)
    const fields = Object.entries(H2C).map(([name, value]) => `${name}: ${value}\r\n`)
    const first = `GET /1 HTTP/1.1\r\nHost: x\r\n${fields.join('')}\r\n`
    const second = 'GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    const { body } = await exchange(port, first + second)
    expect(body).toContain('"/1"')
    expect(body).toContain('"/2"')
  })

  test('fails without an uncaught error if its client disconnects within the body', async () => {
    const lost = uncaught()
    const { http, port } = await start(false)
    http.removeAllListeners('request')
    const raw = connectSocket(port, '127.0.0.1')
    raw.write(
      'POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 10\r\n\r\nhello',
    )
    const [incoming] = (await once(http, 'request')) as [IncomingMessage]
    const failed = once(incoming, 'error')
    incoming.resume()
    raw.resetAndDestroy()
    await failed
    const client = await connect(`ws://127.0.0.1:${port}`)
    client.terminate()
    expect(lost).toEqual([])
  })

  test("makes the http.Server emit 'connection' again", async () => {
    const { http, send } = await start(false)
    let calls = 0
    http.on('connection', () => calls++)
    await send('GET', '/', [])
    expect(calls).toBe(2)
  })
})
