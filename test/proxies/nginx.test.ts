import { once } from 'node:events'
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { connect, WebSocketServer } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { exchange } from '../support/http-exchange.js'
import type { Program } from '../support/program.js'
import { requires } from '../support/requirements.js'
import { endWithTest, runningServer } from '../support/running-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { startNginx } from './nginx.js'
import { expectCut, expectKept, HEARTBEAT, PROXY_TIMEOUT } from './silence.js'
import { answers, startWorker, visit, type Visitor } from './worker.js'
import { passesBothWays } from './passes-both-ways.js'

/** Starts nginx with a site of examples/nginx, until the test ends. Returns its host. */
async function nginx(site: string, instead: Readonly<Record<string, string>>): Promise<string> {
  const running = await startNginx(site, instead)
  onTestFinished(() => running.stop())
  return running.host
}

const toPort = (port: number): Record<string, string> => ({
  'server 127.0.0.1:8000;': `server 127.0.0.1:${port};`,
})

describe('nginx in front of a TCP port', requires('nginx'), () => {
  test('forwards messages and close codes, both ways', async () => {
    const running = await runningServer()
    const host = await nginx('tcp.conf', toPort(running.port))
    await passesBothWays(`ws://${host}/path`, running)
  })

  test("forwards the client's address, whatever headers the client sends", async () => {
    const { server, url, port } = await runningServer({ trustProxy: 1 })
    server.on('connection', (socket) => socket.send(JSON.stringify({ address: socket.remoteAddress })))
    const host = await nginx('tcp.conf', toPort(port))
    const headers = { 'X-Forwarded-For': '203.0.113.7', Forwarded: 'for=203.0.113.7' }
    const honest = await visit(`ws://${host}`, { localAddress: '127.0.0.2' })
    const spoofing = await visit(`ws://${host}`, { localAddress: '127.0.0.3', headers })
    expect([honest.address, spoofing.address]).toEqual(['127.0.0.2', '127.0.0.3'])
    // The server trusts one proxy. It takes a client that bypasses nginx for that proxy, so its port must not be reachable.
    expect(await visit(url, { headers })).toMatchObject({ address: '203.0.113.7' })
  })

  test('forwards a plain request and its response, and closes the connection to the server', async () => {
    const { port, server } = await runningServer()
    const host = await nginx('tcp.conf', toPort(port))
    const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
    const answer = await exchange(Number(host.split(':')[1]), request)
    expect(answer.status).toBe(426)
    expect(answer.body).toContain('accepts only WebSocket connections')
    expect(server.clients.size).toBe(0)
  })

  test('forwards a refusal completely', async () => {
    const { port } = await runningServer()
    const host = await nginx('tcp.conf', toPort(port))
    await expect(connect(`ws://${host}`, { origin: 'https://other.example' })).rejects.toThrow('403')
    const own = await connect(`ws://${host}`, { origin: `http://${host}` })
    own.terminate()
  })

  test.each([
    'proxy_http_version 1.1;',
    'proxy_set_header Upgrade $http_upgrade;',
    'proxy_set_header Connection $connection_upgrade;',
  ])('cannot connect any client without `%s`', async (line) => {
    const { port } = await runningServer()
    const host = await nginx('tcp.conf', { ...toPort(port), [line]: '' })
    await expect(connect(`ws://${host}`)).rejects.toThrow(/\b4\d\d\b/)
  })

  describe('a connection that is silent for longer than proxy_read_timeout', () => {
    const shortened = { 'proxy_read_timeout 60s;': `proxy_read_timeout ${PROXY_TIMEOUT};` }

    test('stays open with the heartbeat', async () => {
      const running = await runningServer({ heartbeat: HEARTBEAT })
      const host = await nginx('tcp.conf', { ...toPort(running.port), ...shortened })
      const [client, { socket }] = await Promise.all([connect(`ws://${host}`), running.next()])
      await expectKept(client, socket)
    })

    test('is closed without the heartbeat', async () => {
      const running = await runningServer({ heartbeat: false })
      const host = await nginx('tcp.conf', { ...toPort(running.port), ...shortened })
      const [client, { socket }] = await Promise.all([connect(`ws://${host}`), running.next()])
      await expectCut(client, socket)
    })
  })
})

describe('nginx in front of a unix socket', requires('nginx'), () => {
  const toSocket = (path: string): Record<string, string> => ({
    'server unix:/run/hubwire/worker.sock;': `server unix:${path};`,
  })

  test('connects to a worker that replaces the socket of a killed one', async () => {
    const path = join(temporaryFolder(), 'worker.sock')
    const first = await startWorker(path)
    const host = await nginx('unix-socket.conf', toSocket(path))
    const visitor = await visit(`ws://${host}`)
    expect(visitor).toMatchObject({ worker: path, address: '127.0.0.1' })
    expect(await answers(visitor)).toBe(true)
    const stat = lstatSync(path)
    expect([stat.isSocket(), stat.mode & 0o777]).toEqual([true, 0o660])

    const closed = closeOf(visitor.socket)
    await first.stop('SIGKILL')
    expect((await closed).code).toBe(1006)
    expect(lstatSync(path).ino).toBe(stat.ino)
    await expect(connect(`ws://${host}`)).rejects.toThrow('502')

    await startWorker(path)
    expect(lstatSync(path).mode & 0o777).toBe(0o660)
    expect(await answers(await visit(`ws://${host}`))).toBe(true)
  })
})

describe('nginx in front of three workers', requires('nginx'), () => {
  const numbers = [1, 2, 3] as const

  const toSockets = (paths: readonly string[]): Record<string, string> =>
    Object.fromEntries(
      paths.map((path, index) => [
        `server unix:/run/hubwire/${index + 1}.sock max_fails=0;`,
        `server unix:${path} max_fails=0;`,
      ]),
    )

  interface Site {
    readonly paths: readonly string[]
    readonly workers: readonly Program[]
    readonly url: string
  }

  async function site(instead: Readonly<Record<string, string>> = {}): Promise<Site> {
    const folder = temporaryFolder()
    const paths = numbers.map((number) => join(folder, `${number}.sock`))
    const workers = await Promise.all(paths.map((path) => startWorker(path)))
    const host = await nginx('three-workers.conf', { ...toSockets(paths), ...instead })
    return { paths, workers, url: `ws://${host}` }
  }

  /** Connects one after the other, so that nginx counts each connection before the next. */
  async function visitors(url: string, count: number): Promise<Visitor[]> {
    const all: Visitor[] = []
    while (all.length < count) all.push(await visit(url))
    return all
  }

  const sortedWorkers = (all: readonly Visitor[]): string[] => all.map(({ worker }) => worker).sort()

  test('distributes connections evenly over processes with separate groups', async () => {
    const { paths, url } = await site()
    const all = await visitors(url, 6)
    expect(sortedWorkers(all)).toEqual(paths.flatMap((path) => [path, path]))
    all[0]!.socket.send('to everybody')
    const reached = all.filter(({ worker }) => worker === all[0]!.worker)
    for (const each of reached) expect(await each.messages.next()).toBe('to everybody')
    for (const each of all) {
      each.socket.send(`only ${each.worker}`)
      // If the message reached the others, this would not be their first one.
      for (const near of all.filter(({ worker }) => worker === each.worker)) {
        expect(await near.messages.next()).toBe(`only ${each.worker}`)
      }
    }
  })

  test('uses the other workers while one is stopped, until it has restarted', async () => {
    const { paths, workers, url } = await site()
    const all = await visitors(url, 6)
    const [gone, stay] = [paths[1]!, [paths[0]!, paths[2]!]]
    const closes = all.filter(({ worker }) => worker === gone).map(({ socket }) => closeOf(socket))
    expect(closes).toHaveLength(2)
    expect(await workers[1]!.stop()).toEqual({ code: 0, signal: null })
    const farewell = { code: 1001, reason: 'The worker stops', wasClean: true }
    expect(await Promise.all(closes)).toMatchObject([farewell, farewell])

    for (const each of all.filter(({ worker }) => worker !== gone)) expect(await answers(each)).toBe(true)
    expect(sortedWorkers(await visitors(url, 4))).toEqual(stay.flatMap((path) => [path, path]))

    await startWorker(gone)
    expect(sortedWorkers(await visitors(url, 4))).toEqual([gone, gone, gone, gone])
  })

  test('skips a killed worker until it is back', async () => {
    const { paths, workers, url } = await site()
    const all = await visitors(url, 3)
    const victim = all.find(({ worker }) => worker === paths[0])!
    const closed = closeOf(victim.socket)
    await workers[0]!.stop('SIGKILL')
    expect((await closed).code).toBe(1006)
    expect(sortedWorkers(await visitors(url, 2))).toEqual(paths.slice(1))
    await startWorker(paths[0]!)
    expect(await visit(url)).toMatchObject({ worker: paths[0] })
  })

  test('skips a full worker, and responds with 503 if all are full', async () => {
    const folder = temporaryFolder()
    const paths = numbers.map((number) => join(folder, `${number}.sock`))
    for (const unixPath of paths) {
      const server = new WebSocketServer({ unixPath, maxConnections: 1 })
      endWithTest(server)
      server.on('connection', (socket) => socket.send(JSON.stringify({ worker: unixPath })))
      await once(server, 'listening')
    }
    const url = `ws://${await nginx('three-workers.conf', toSockets(paths))}`
    // nginx does not count this connection, and tries the same worker first.
    await visit(`ws+unix:${paths[0]!}`)
    expect(sortedWorkers(await visitors(url, 2))).toEqual(paths.slice(1))
    await expect(connect(url)).rejects.toThrow('503')
  })

  test('sends each path to one worker with `hash $uri consistent;`', async () => {
    const { paths, url } = await site({ 'least_conn;': 'hash $uri consistent;' })
    const used = new Set<string>()
    for (let room = 0; room < 20; room++) {
      const [first, second] = await visitors(`${url}/room/${room}`, 2)
      expect(second!.worker).toBe(first!.worker)
      used.add(first!.worker)
    }
    expect(used.size).toBeGreaterThan(1)
    expect(paths).toEqual(expect.arrayContaining([...used]))
  })
})
