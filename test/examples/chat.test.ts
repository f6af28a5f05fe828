import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { connect as connectSocket } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect } from 'hubwire'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ChatDemo } from '../support/chat-demo.js'
import { importsOf } from '../support/imports.js'
import { ChatClient, type ChatEvent } from './chat-client.js'

let demo: ChatDemo
beforeAll(async () => {
  demo = await ChatDemo.start()
})
afterAll(() => demo.program.stop())

const folder = new URL('../../examples/chat/', import.meta.url)

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

async function ask(path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port: demo.port, path, method, headers }).end()
  sent.on('upgrade', (_response, socket) => {
    socket.destroy()
    sent.emit('error', new Error('The server switched protocols'))
  })
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) }
}

const upgrade = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
}

/** A member whose own welcome has been read. */
async function join(room: string, name: string): Promise<ChatClient> {
  const client = await ChatClient.open(demo.ws(`/ws/chat/${room}/?name=${encodeURIComponent(name)}`))
  expect(await client.nextEvent()).toMatchObject({ type: 'connection_established', member: name })
  return client
}

test('keeps the server short enough to read on one screen', async () => {
  const source = await readFile(new URL('server.js', folder), 'utf8')
  expect(source.split('\n').length).toBeLessThan(80)
})

describe('over plain HTTP', () => {
  test('serves the page at /', async () => {
    const { status, headers, body } = await ask('/')
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'self'",
      'content-length': String(Buffer.byteLength(body)),
    })
    expect(body).toContain('<title>hubwire chat</title>')
  })

  test('serves every file that the pages refer to, and has no others', async () => {
    const types: Record<string, string> = {
      css: 'text/css; charset=utf-8',
      html: 'text/html; charset=utf-8',
      js: 'text/javascript; charset=utf-8',
      svg: 'image/svg+xml; charset=utf-8',
    }
    const names = (await readdir(new URL('page/', folder))).filter((name) => name !== 'tsconfig.json')
    const needed = new Set(['/', '/stats'])
    for (const path of needed) {
      const { status, headers, body } = await ask(path)
      const name = path === '/' ? 'index.html' : path === '/stats' ? 'stats.html' : path.slice(1)
      expect({ path, status, type: headers['content-type'] }).toEqual({
        path,
        status: 200,
        type: types[name.split('.')[1]!],
      })
      if (path.startsWith('/hubwire/')) continue
      expect(body).toBe(await readFile(new URL(`page/${name}`, folder), 'utf8'))
      for (const [, other] of body.matchAll(/(?:src|href)="(\/.*?)"/g)) needed.add(other!)
      if (name.endsWith('.js')) {
        for (const other of importsOf(body)) needed.add(new URL(other, `http://host${path}`).pathname)
      }
    }
    const files = [...needed].filter((path) => path.includes('.') && !path.startsWith('/hubwire/'))
    expect(files.toSorted()).toEqual(
      names
        .filter((name) => !name.endsWith('.html'))
        .map((name) => `/${name}`)
        .sort(),
    )
  })

  test('serves the browser client, which imports no other module (N13)', async () => {
    const { status, headers, body } = await ask('/hubwire/index.js')
    const type = headers['content-type']
    expect({ status, type }).toEqual({ status: 200, type: 'text/javascript; charset=utf-8' })
    expect(body).toContain('class ReconnectingWebSocket')
    expect(importsOf(body)).toEqual([])
  })

  test('ignores a query', async () => {
    expect((await ask('/?utm=1')).body).toBe((await ask('/')).body)
  })

  test('answers HEAD with the headers of GET and no body', async () => {
    const [head, get] = [await ask('/', 'HEAD'), await ask('/')]
    expect(head.status).toBe(200)
    expect(head.body).toBe('')
    expect(head.headers['content-length']).toBe(get.headers['content-length'])
  })

  test.for([
    '/nothing',
    '/index.html',
    '/ws/echo',
    '//',
    '/../server.js',
    '/chat.js/',
    '/%2e%2e/server.js',
    '/__proto__',
  ])('answers %s with 404', async (path) => {
    const { status, headers } = await ask(path)
    expect(status).toBe(404)
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
  })

  test.for(['POST', 'PUT', 'DELETE', 'OPTIONS'])('answers %s with 405', async (method) => {
    const { status, headers } = await ask('/', method)
    expect(status).toBe(405)
    expect(headers.allow).toBe('GET, HEAD')
  })

  test('logs one line for each request', async () => {
    await ask('/?logged=once')
    await ask('/logged/as/missing')
    await demo.program.line(/missing/)
    expect(demo.program.lines.filter((line) => line.includes('logged'))).toEqual([
      'GET /?logged=once 200',
      'GET /logged/as/missing 404',
    ])
  })
})

describe('the opening handshake', () => {
  test.for(['/', '/ws/echo/', '/ws/chat/', '/ws/chat/lobby', '/ws/chat/a/b/', '/ws/other'])(
    'is refused at %s',
    async (path) => {
      const { status, body } = await ask(path, 'GET', upgrade)
      expect(status).toBe(404)
      expect(body).not.toBe('')
    },
  )

  test('is refused for another origin', async () => {
    expect((await ask('/ws/echo', 'GET', { ...upgrade, Origin: 'http://elsewhere.example' })).status).toBe(
      403,
    )
  })
})

describe('the echo', () => {
  test('returns text as text and binary as binary', async () => {
    const client = await ChatClient.open(demo.ws('/ws/echo'))
    client.send('Grüße 👋')
    expect(await client.nextMessage()).toBe('Grüße 👋')
    client.send(Uint8Array.of(0, 255, 128))
    expect(await client.nextMessage()).toEqual(Uint8Array.of(0, 255, 128).buffer)
    await client.close()
  })
})

describe('a room', () => {
  test('greets a new member with its name and its members', async () => {
    const ada = await ChatClient.open(demo.ws('/ws/chat/welcome/?name=Ada'))
    expect(await ada.nextEvent()).toEqual({
      type: 'connection_established',
      room: 'welcome',
      member: 'Ada',
      members: ['Ada'],
    })
    const guest = await ChatClient.open(demo.ws('/ws/chat/welcome/'))
    expect(await guest.nextEvent()).toEqual({
      type: 'connection_established',
      room: 'welcome',
      member: 'Guest',
      members: ['Ada', 'Guest'],
    })
    await Promise.all([ada.close(), guest.close()])
  })

  test.for([
    '/ws/chat/odd/?name=%E0%A4%A',
    'http://[/ws/chat/odd/',
    'http://else:99999/ws/chat/odd/?name=a?b#',
  ])('accepts %s as a room name', async (path) => {
    const socket = connectSocket(demo.port, '127.0.0.1')
    const fields = Object.entries({ Host: demo.host, ...upgrade }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    )
    socket.write(`GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1.1 (101|400) /)
    socket.destroy()
    expect((await ask('/')).status).toBe(200)
  })

  test('accepts any name that a URL can contain', async () => {
    const ada = await ChatClient.open(demo.ws('/ws/chat/my%20room%2F100%25/?name=Ada'))
    expect(await ada.nextEvent()).toMatchObject({ room: 'my room/100%' })
    await ada.close()
  })

  test('reports how many members a message reached if it has an id', async () => {
    const ada = await join('reach', 'Ada')
    const ben = await join('reach', 'Ben')
    await ada.nextEvent()
    ada.send({ text: 'Hello', id: 'seven' })
    expect(await ada.nextEvent()).toEqual({ type: 'delivered', id: 'seven', members: 1, relayed: false })
    expect(await ben.nextEvent()).toMatchObject({ text: 'Hello' })
    await Promise.all([ada.close(), ben.close()])
  })

  test('answers a ping with a pong', async () => {
    const ada = await join('ping', 'Ada')
    ada.send({ action: 'ping' })
    expect(await ada.nextEvent()).toEqual({ type: 'pong' })
    await ada.close()
  })

  test('sends a message to all other members and not back to its sender', async () => {
    const ada = await join('say', 'Ada')
    const ben = await join('say', 'Ben')
    const cyd = await join('say', 'Cyd')
    const elsewhere = await join('say_elsewhere', 'Dan')
    ada.send({ text: 'Grüße 👋' })
    const said = { type: 'chat_message', member: 'Ada', text: 'Grüße 👋' }
    expect(await ben.nextEvent()).toEqual({ type: 'member_joined', member: 'Cyd' })
    expect(await ben.nextEvent()).toEqual(said)
    expect(await cyd.nextEvent()).toEqual(said)

    expect(await ada.nextEvent()).toEqual({ type: 'member_joined', member: 'Ben' })
    expect(await ada.nextEvent()).toEqual({ type: 'member_joined', member: 'Cyd' })
    for (const client of [ada, elsewhere]) {
      client.send({ action: 'ping' })
      expect(await client.nextEvent()).toEqual({ type: 'pong' })
    }
    await Promise.all([ada, ben, cyd, elsewhere].map((client) => client.close()))
  })

  test('announces who has left', async () => {
    const ada = await join('leave', 'Ada')
    const ben = await join('leave', 'Ben')
    expect(await ada.nextEvent()).toEqual({ type: 'member_joined', member: 'Ben' })
    await ben.close()
    expect(await ada.nextEvent()).toEqual({ type: 'member_left', member: 'Ben' })
    const again = await ChatClient.open(demo.ws('/ws/chat/leave/?name=Eve'))
    expect(await again.nextEvent()).toMatchObject({ members: ['Ada', 'Eve'] })
    await Promise.all([ada.close(), again.close()])
  })

  test('does not let a member send in the name of another', async () => {
    const ada = await join('forge', 'Ada')
    const eve = await join('forge', 'Eve')
    await ada.nextEvent()
    eve.send({ type: 'connection_established', member: 'Ada', text: 'I am Ada' })
    expect(await ada.nextEvent()).toEqual({ type: 'chat_message', member: 'Eve', text: 'I am Ada' })
    await Promise.all([ada.close(), eve.close()])
  })

  test.for(['{', '', 'hello', 'null', '5', '"text"', Uint8Array.of(0xff, 0, 0x7b)])(
    'answers %j with an error and keeps the connection',
    async (message) => {
      const ada = await join('malformed', 'Ada')
      ada.send(message)
      expect(await ada.nextEvent()).toMatchObject({ type: 'error' })
      ada.send({ action: 'ping' })
      expect(await ada.nextEvent()).toEqual({ type: 'pong' })
      await ada.close()
    },
  )
})

describe('the statistics', () => {
  /** Starts a separate demo, in which nobody else is counted. */
  async function counted(): Promise<{ own: ChatDemo; watcher: ChatClient }> {
    const own = await ChatDemo.start()
    onTestFinished(async () => {
      await own.program.stop('SIGKILL')
    })
    return { own, watcher: await ChatClient.open(own.ws('/ws/stats')) }
  }

  /** The next sample for which `isIt` is true. */
  async function sampleOf(watcher: ChatClient, isIt: (sample: ChatEvent) => boolean): Promise<ChatEvent> {
    for (;;) {
      const { samples } = (await watcher.nextEvent()) as { samples: ChatEvent[] }
      const found = samples.find(isIt)
      if (found !== undefined) return found
    }
  }

  test('begin with the last minute, and continue every second', async () => {
    const { own, watcher } = await counted()
    const first = await watcher.nextEvent()
    const ada = await ChatClient.open(own.ws('/ws/chat/a/'))
    ada.send({ text: 'Hello' })
    const sample = await sampleOf(watcher, ({ received }) => received === 1)
    expect(sample).toMatchObject({ connections: 1, rooms: 1, slow: 0, broadcasts: 1, delivered: 0 })
    expect(sample.process).toMatchObject({ id: first.own, pid: own.program.pid })
    const late = await (await ChatClient.open(own.ws('/ws/stats'))).nextEvent()
    expect(late).toMatchObject({ own: first.own, samples: expect.arrayContaining([sample]) as unknown })
  })

  test('count a slow member as long as it does not read', async () => {
    const { own, watcher } = await counted()
    const slow = await connect(own.ws('/ws/chat/a/'))
    slow.pause()
    const ada = await ChatClient.open(own.ws('/ws/chat/a/'))
    const text = 'x'.repeat(100_000)
    for (let count = 0; count < 150; count++) ada.send({ text })
    await sampleOf(watcher, (sample) => sample.slow === 1)
    slow.resume()
    await sampleOf(watcher, (sample) => sample.slow === 0)
    slow.terminate()
  })
})

test('logs one line with the path for each WebSocket connection', async () => {
  const clients = [
    await ChatClient.open(demo.ws('/ws/echo?log=1')),
    await ChatClient.open(demo.ws('/ws/chat/log/?log=2')),
  ]
  await Promise.all(clients.map((client) => client.close()))
  await demo.program.line(/log=2/)
  expect(demo.program.lines.filter((line) => line.includes('log='))).toEqual([
    'WebSocket /ws/echo?log=1',
    'WebSocket /ws/chat/log/?log=2',
  ])
})

describe.each(['SIGTERM', 'SIGINT'] as const)('on %s', (signal) => {
  test('closes its clients with 1001 and exits, whatever else is connected', async () => {
    const stopping = await ChatDemo.start()
    onTestFinished(async () => {
      await stopping.program.stop('SIGKILL')
    })
    const clients = await Promise.all(
      ['/ws/echo', '/ws/chat/a/', '/ws/chat/a/', '/ws/chat/b/'].map((path) =>
        ChatClient.open(stopping.ws(path)),
      ),
    )
    const half = connectSocket(stopping.port, '127.0.0.1').on('error', () => {})
    half.write('GET / HTTP/1.1\r\n')
    await once(half, 'connect')
    const exit = stopping.program.stop(signal)
    for (const client of clients) {
      expect(await client.closed).toEqual({ code: 1001, reason: 'The server stops' })
    }
    expect(await exit).toEqual({ code: 0, signal: null })
    await expect(ChatClient.open(stopping.ws('/ws/echo'))).rejects.toThrow()
  })
})
