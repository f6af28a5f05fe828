// What new users write first, from the documents alone, and what they run into: each program is as its users would have it.
import { once } from 'node:events'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { IncomingMessage } from 'node:http'
import { connect, createWebSocketStream, type WebSocketOptions } from 'hubwire'
import { build } from 'vite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { browsers, launchBrowser } from '../support/browsers.js'
import { type Closed, closeOf } from '../support/close-of.js'
import { type Data, inbox } from '../support/inbox.js'
import { Program } from '../support/program.js'
import type { Queue } from '../support/queue.js'
import { requires, requiresUnixSockets } from '../support/requirements.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Runs one of the programs, until it is stopped or the test ends. */
function run(name: string, args: string[] = [], environment: Record<string, string> = {}): Program {
  const script = fileURLToPath(new URL(`newcomers/${name}.js`, import.meta.url))
  const program = new Program(process.execPath, [script, ...args], environment)
  onTestFinished(async () => {
    await program.stop('SIGKILL')
  })
  return program
}

/** The port of a program that says where it listens. */
async function portOf(program: Program): Promise<string> {
  const [port] = await program.line(/(?<=http:\/\/127\.0\.0\.1:)\d+/)
  return port
}

interface Client {
  readonly socket: Awaited<ReturnType<typeof connect>>
  readonly received: Queue<Data>
  readonly closed: Promise<Closed>
}

async function open(url: string, options: WebSocketOptions = {}): Promise<Client> {
  const socket = await connect(url, options)
  onTestFinished(() => {
    socket.terminate()
  })
  return { socket, received: inbox(socket), closed: closeOf(socket) }
}

const json = async ({ received }: Client): Promise<unknown> => JSON.parse((await received.next()) as string)

describe('a program for users of Django Channels', requiresUnixSockets(), () => {
  interface Site {
    readonly program: Program
    /** Posts to a view, and returns its answer and its cookie. */
    view(path: string, body?: string): Promise<{ body: string; cookie: string }>
    enter(room: string, cookie: string): Promise<Client>
  }

  function siteAt(program: Program, socketPath: string): Site {
    return {
      program,
      async view(path, body = '') {
        const request = httpRequest({ socketPath, path, method: 'POST', agent: false }).end(body)
        const [response] = (await once(request, 'response')) as [IncomingMessage]
        const [cookie = ''] = response.headers['set-cookie'] ?? []
        return { body: await text(response), cookie: cookie.split(';')[0]! }
      },
      enter: (room, cookie) => open(`ws+unix:${socketPath}:/ws/chat/${room}/`, { headers: { cookie } }),
    }
  }

  async function start(path = socketPath()): Promise<Site> {
    const program = run('channels', [path])
    await program.line(/^listening$/)
    return siteAt(program, path)
  }

  function socketPath(): string {
    const folder = temporaryFolder()
    chmodSync(folder, 0o755)
    return join(folder, 'daphne.sock')
  }

  test('has rooms, views that send to a room or a user, and sessions (N1, N6)', async () => {
    const site = await start()
    const ada = await site.enter('lobby', (await site.view('/login/ada')).cookie)
    const bob = await site.enter('kitchen', (await site.view('/login/bob')).cookie)
    expect([await json(ada), await json(bob)]).toEqual([
      { type: 'history', lines: ['history of lobby'] },
      { type: 'history', lines: ['history of kitchen'] },
    ])
    ada.socket.send('{"message":"hi"}')
    expect(await json(ada)).toEqual({ type: 'chat', from: 'ada', message: 'hi' })
    expect(JSON.parse((await site.view('/announce/lobby', 'tea')).body)).toEqual({ delivered: 1, skipped: 0 })
    expect(await json(ada)).toEqual({ type: 'announce', text: 'tea' })
    // In whichever room the user is.
    expect(JSON.parse((await site.view('/notify/bob', 'mail')).body)).toEqual({ delivered: 1, skipped: 0 })
    expect(await json(bob)).toEqual({ type: 'notify', text: 'mail' })
    await expect(site.enter('lobby', '')).rejects.toThrow('403 Forbidden: Log in first')
    await expect(site.enter('lobby', 'sessionid=forged')).rejects.toThrow('403 Forbidden: Log in first')
  })

  test('receives a message that a client sends during a database query (N3)', async () => {
    const site = await start()
    const ada = await site.enter('lobby', (await site.view('/login/ada')).cookie)
    ada.socket.send('{"message":"early"}')
    expect(await json(ada)).toMatchObject({ type: 'history' })
    expect(await json(ada)).toMatchObject({ type: 'chat', message: 'early' })
  })

  test('closes one connection for a message that is not JSON, and prints the stack (N2, N4)', async () => {
    const site = await start()
    const { cookie } = await site.view('/login/ada')
    const [bad, good] = [await site.enter('lobby', cookie), await site.enter('lobby', cookie)]
    bad.socket.send('not json')
    expect(await bad.closed).toMatchObject({ code: 1011 })
    await site.program.line(/at .*newcomers\/channels\.js:\d+:\d+/)
    expect(await json(good)).toMatchObject({ type: 'history' })
    good.socket.send('{"message":"still here"}')
    expect(await json(good)).toMatchObject({ message: 'still here' })
  })

  test('restarts on the socket that a killed process has left (N5)', async () => {
    const path = socketPath()
    const first = await start(path)
    await first.program.stop('SIGKILL')
    const next = await start(path)
    const ada = await next.enter('lobby', (await next.view('/login/ada')).cookie)
    expect(await json(ada)).toMatchObject({ type: 'history' })
  })
})

describe('a program for users of Flask-SocketIO', () => {
  async function start(): Promise<{
    program: Program
    as: (user: string, path?: string) => Promise<Sample>
  }> {
    const program = run('flask-socketio')
    const port = await portOf(program)
    return {
      program,
      as: async (user, path = '/') => {
        const sample = new Sample(await open(`ws://127.0.0.1:${port}${path}?user=${user}`))
        if (path === '/') expect(await sample.next()).toEqual(['connected', user])
        return sample
      },
    }
  }

  /** A client that knows events, and leaves out the ticks of the background task. */
  class Sample {
    readonly client: Client
    #id = 0

    constructor(client: Client) {
      this.client = client
    }

    async next(): Promise<unknown[]> {
      for (;;) {
        const event = (await json(this.client)) as unknown[]
        if (event[0] !== 'tick') return event
      }
    }

    emit(event: string, data?: unknown): void {
      this.client.socket.send(JSON.stringify([event, data ?? null]))
    }

    /** Emits, and returns what the handler returned. */
    async call(event: string, data?: unknown): Promise<unknown> {
      const id = ++this.#id
      this.client.socket.send(JSON.stringify([event, data ?? null, id]))
      const [ack, result, of] = await this.next()
      expect([ack, of]).toEqual(['ack', id])
      return result
    }
  }

  test('has events, acknowledgements, rooms, a namespace and messages to one user (N14)', async () => {
    const { as } = await start()
    const [ada, bob] = [await as('ada'), await as('bob')]
    ada.emit('my_event', { data: 'hi' })
    expect(await ada.next()).toEqual(['my_response', { data: 'hi' }])
    expect([await ada.call('join', 'lobby'), await bob.call('join', 'lobby')]).toEqual([1, 2])
    expect(await ada.call('my_room_event', { room: 'lobby', data: 'tea' })).toBe(1)
    expect(await bob.next()).toEqual(['my_response', 'tea'])
    expect(await bob.call('whisper', { to: 'ada', data: 'psst' })).toBe(1)
    expect(await ada.next()).toEqual(['whisper', 'psst'])
    bob.emit('my_broadcast_event', 'all')
    expect([await ada.next(), await bob.next()]).toEqual([
      ['my_response', 'all'],
      ['my_response', 'all'],
    ])
    ada.emit('close_room', 'lobby')
    expect([await ada.next(), await bob.next()]).toEqual([
      ['my_response', 'lobby is closing'],
      ['my_response', 'lobby is closing'],
    ])
    expect(await ada.call('my_room_event', { room: 'lobby', data: 'nobody' })).toBe(0)
    expect(await (await as('root', '/admin')).call('count')).toBe(2)
  })

  test('refuses clients, and is notified when they disconnect and when a handler fails (N1, N2)', async () => {
    const { program, as } = await start()
    await expect(as('')).rejects.toThrow('401')
    const [ada, bob] = [await as('ada'), await as('bob')]
    ada.emit('disconnect_request')
    expect(await ada.client.closed).toMatchObject({ code: 1000, reason: 'Disconnected' })
    await program.line(/^ada disconnected: 1000$/)
    bob.emit('no such event')
    expect(await bob.client.closed).toMatchObject({ code: 1011 })
    await program.line(/^Error: There is no event "no such event"$/)
    const eve = await as('eve')
    const exit = program.stop('SIGTERM')
    expect(await eve.client.closed).toMatchObject({ code: 1001, reason: 'The server stops' })
    expect(await exit).toEqual({ code: 0, signal: null })
  })
})

describe('a program for users of ws', () => {
  test('broadcasts, streams, authenticates in an upgrade listener, and pings', async () => {
    const program = run('ws')
    const url = `ws://127.0.0.1:${await portOf(program)}`
    const [ada, bob] = [await open(`${url}/broadcast?user=ada`), await open(`${url}/broadcast?user=bob`)]
    expect([await ada.received.next(), await bob.received.next()]).toEqual(['something', 'something'])
    ada.socket.send('hello')
    expect(await bob.received.next()).toBe('hello')
    await program.line(/^Received message hello from user ada at 127\.0\.0\.1$/)
    ada.socket.send(Buffer.of(1, 2))
    expect(await bob.received.next()).toEqual(Buffer.of(1, 2))
    await once(ada.socket, 'ping')
    bob.socket.send('after a ping')
    expect(await ada.received.next()).toBe('after a ping')

    const { socket } = await open(`${url}/stream?user=ada`)
    const duplex = createWebSocketStream(socket, { encoding: 'utf8' })
    duplex.write('through a stream')
    expect(await once(duplex, 'data')).toEqual(['through a stream'])
    await expect(connect(`${url}/broadcast`)).rejects.toThrow('401 Unauthorized')
    await expect(connect(`${url}/nothing?user=ada`)).rejects.toThrow()
  })
})

describe('a program with a page built by vite', () => {
  const page = `
    <ul></ul><p></p>
    <script type="module" src="/main.js"></script>`
  const main = `
    import { ReconnectingWebSocket } from 'hubwire/browser'
    const socket = new ReconnectingWebSocket('/ws/lobby/', { ping: {}, queue: 10 })
    socket.addEventListener('message', ({ data }) => {
      const line = document.createElement('li')
      line.textContent = data
      document.querySelector('ul').append(line)
    })
    socket.addEventListener('state', ({ state }) => { document.querySelector('p').textContent = state })
    globalThis.say = (text) => socket.send(text)`

  test(
    'serves the page and the WebSocket on one port, and the page reconnects after a restart (N10, N13)',
    requires('chromium'),
    async () => {
      const folder = temporaryFolder()
      mkdirSync(join(folder, 'node_modules'))
      symlinkSync(root, join(folder, 'node_modules', 'hubwire'), 'junction')
      writeFileSync(join(folder, 'index.html'), page)
      writeFileSync(join(folder, 'main.js'), main)
      await build({ root: folder, configFile: false, logLevel: 'silent' })

      const backend = run('backend', [join(folder, 'dist')], { PORT: '0' })
      const port = await portOf(backend)
      const browser = await launchBrowser(browsers[0]!)
      onTestFinished(() => browser.close())
      const tab = await browser.open(`http://127.0.0.1:${port}/`)
      const shows = (state: string, lines: string): Promise<void> =>
        tab.until(
          `document.querySelector('p').textContent === '${state}' && document.querySelector('ul').textContent === '${lines}'`,
        )
      await shows('open', '')
      expect(await tab.evaluate(`say('one ')`)).toBe('sent')
      await shows('open', 'one ')
      expect(await backend.stop('SIGTERM')).toEqual({ code: 0, signal: null })
      await tab.until(`document.querySelector('p').textContent === 'waiting'`)
      expect(await tab.evaluate(`say('two')`)).toBe('queued')
      await portOf(run('backend', [join(folder, 'dist')], { PORT: port }))
      await shows('open', 'one two')
    },
  )
})
