import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { connect as connectSocket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, listen, type ListenOptions, WebSocketServer } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../support/event-loop.js'
import { exchange, handshakeText, readAnswer } from '../support/http-exchange.js'
import { Program } from '../support/program.js'
import { requiresUnixSockets } from '../support/requirements.js'
import { endWithTest, runningServer } from '../support/running-server.js'
import { occupyTemporaryNames } from '../support/temporary-names.js'
import { uncaught } from '../support/uncaught.js'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'hubwire-'))
  onTestFinished(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}

async function listeningAt(unixPath: string, unixMode?: number): Promise<WebSocketServer> {
  const server = new WebSocketServer(unixMode === undefined ? { unixPath } : { unixPath, unixMode })
  endWithTest(server)
  await once(server, 'listening')
  return server
}

describe('unixPath', () => {
  test('listens on a unix socket, and removes the socket when it closes', async () => {
    const path = join(folder(), 'socket')
    const server = await listeningAt(path)
    expect(server.address()).toBe(path)
    server.on('connection', (socket, request) => {
      socket.send(`${request.url ?? ''} from ${String(socket.remoteAddress)}`)
    })
    const client = await connect(`ws+unix:${path}:/chat?x=1`)
    expect(await once(client, 'message')).toEqual(['/chat?x=1 from undefined', false])
    client.terminate()
    await server.shutdown()
    expect(existsSync(path)).toBe(false)
  })

  test('gives the unix socket the mode unixMode', async () => {
    const path = join(folder(), 'socket')
    await listeningAt(path, 0o660)
    expect(statSync(path).mode & 0o777).toBe(0o660)
  })

  test('removes a stale socket that a killed process left behind', async () => {
    const path = join(folder(), 'socket')
    const program = new Program(process.execPath, [
      '--eval',
      `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('listening'))`,
    ])
    await program.line(/listening/)
    await program.stop('SIGKILL')
    expect(existsSync(path)).toBe(true)
    await listeningAt(path)
    const client = await connect(`ws+unix:${path}`)
    client.terminate()
  })

  test("emits 'error' for a socket on which another process listens, and leaves it in place", async () => {
    const path = join(folder(), 'socket')
    await listeningAt(path)
    const late = new WebSocketServer({ unixPath: path })
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('EADDRINUSE')
    const client = await connect(`ws+unix:${path}`)
    client.terminate()
  })

  test("emits 'error' for any other file, and leaves it unchanged", async () => {
    const path = join(folder(), 'file')
    writeFileSync(path, 'precious')
    const server = new WebSocketServer({ unixPath: path })
    const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('EADDRINUSE')
    expect(readFileSync(path, 'utf8')).toBe('precious')
  })

  test("emits 'error' for a folder that does not exist", async () => {
    const path = join(folder(), 'nowhere', 'socket')
    const server = new WebSocketServer({ unixPath: path })
    const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException]
    expect(error).toMatchObject({ code: 'ENOENT', syscall: 'listen', address: path })
    expect(error.message).toContain(`the folder of the unix socket ${path} does not exist`)
  })

  test.each([
    ['in a folder that does not exist', () => join(folder(), 'nowhere', 'socket')],
    [
      'of a server that runs',
      async () => {
        const path = join(folder(), 'socket')
        await listeningAt(path)
        return path
      },
    ],
    [
      'that the system refuses to bind',
      () => {
        const path = join(folder(), 'socket')
        occupyTemporaryNames(path)
        return path
      },
    ],
  ])("throws without an 'error' listener for a socket %s", async (_name, makePath) => {
    const unixPath = await makePath()
    const lost = uncaught()
    const server = new WebSocketServer({ unixPath })
    await until(() => lost.length > 0)
    expect(lost).toMatchObject([{ syscall: 'listen' }])
    server.close()
  })

  test('ignores a failure after close(), as on a port', async () => {
    const path = join(folder(), 'socket')
    await listeningAt(path)
    const lost = uncaught()
    const server = new WebSocketServer({ unixPath: path })
    server.close()
    await once(server, 'close')
    const next = new WebSocketServer({ unixPath: path })
    await once(next, 'error')
    expect(lost).toEqual([])
  })

  test('starts when the holder of the lock closes it before it accepts a connection', async () => {
    const path = join(folder(), 'socket')
    const holder = createServer().listen(`${path}.lock`)
    await once(holder, 'listening')
    const closeHolder = (): void => {
      unsubscribe('net.client.socket', closeHolder)
      // Once the call that connects has returned, and before the event loop could accept the connection.
      queueMicrotask(() => holder.close())
    }
    subscribe('net.client.socket', closeHolder)
    const server = new WebSocketServer({ unixPath: path })
    onTestFinished(() => server.close())
    await once(server, 'listening')
    expect(server.address()).toBe(path)
  })

  test("emits 'error' for a file at the path of its lock, and leaves it unchanged", async () => {
    const path = join(folder(), 'socket')
    writeFileSync(`${path}.lock`, 'precious')
    const server = new WebSocketServer({ unixPath: path })
    const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException]
    expect(error).toMatchObject({ code: 'EADDRINUSE', address: path })
    expect(error.message).toContain(`${path}.lock`)
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe('precious')
  })

  test(
    "emits 'error' for a symbolic link to nothing at the path of its lock",
    requiresUnixSockets(),
    async () => {
      const path = join(folder(), 'socket')
      symlinkSync(join(folder(), 'nothing'), `${path}.lock`)
      const server = new WebSocketServer({ unixPath: path })
      const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException]
      expect(error).toMatchObject({ code: 'EADDRINUSE', address: path })
      expect(error.message).toContain(`${path}.lock`)
    },
  )

  test.each([
    ['that it may not connect to', 0o000, 0o755],
    ['that it may not remove', 0o777, 0o555],
  ])(
    "emits 'error' for a lock that a killed process of another user left, and %s",
    requiresUnixSockets(),
    async (_name, lockMode, folderMode) => {
      const parent = folder()
      const path = join(parent, 'socket')
      const holder = new Program(process.execPath, [
        '--eval',
        `require('node:net').createServer().listen(${JSON.stringify(`${path}.lock`)}, () => console.log('listening'))`,
      ])
      await holder.line(/listening/)
      await holder.stop('SIGKILL')
      chmodSync(`${path}.lock`, lockMode)
      chmodSync(parent, folderMode)
      const starter = new Program(process.execPath, [
        fileURLToPath(new URL('programs/start-as-nobody.js', import.meta.url)),
        path,
      ])
      await starter.line(/EACCES/)
      expect(starter.lines.join()).toContain(`${path}.lock`)
      await starter.stop()
      chmodSync(parent, 0o755)
    },
  )

  test('does not listen if close() is called first', async () => {
    const path = join(folder(), 'socket')
    const server = new WebSocketServer({ unixPath: path })
    server.close()
    await once(server, 'close')
    // A server that is created later would listen later.
    await listeningAt(join(folder(), 'socket'))
    expect(existsSync(path)).toBe(false)
    expect(server.address()).toBeNull()
  })
})

describe('a server with its own port', () => {
  test('limits a request that arrives slowly by handshakeTimeout', async () => {
    const { port } = await runningServer({ handshakeTimeout: 60 })
    const socket = connectSocket(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: webso')
    expect((await readAnswer(socket)).status).toBe(408)
  })

  test.each([1500.5, 10_001, 0, Infinity])(
    'accepts a handshakeTimeout of %d ms',
    async (handshakeTimeout) => {
      const { url } = await runningServer({ handshakeTimeout })
      const client = await connect(url)
      client.terminate()
    },
  )

  test('responds to upgrades to another protocol as to plain requests (F51)', async () => {
    const { port } = await runningServer()
    const answer = await exchange(port, handshakeText({ Upgrade: 'h2c' }))
    expect(answer.status).toBe(426)
    expect(answer.body).toContain('WebSocket')
    expect(answer.fields.get('content-length')).toBe(String(answer.body.length))
  })

  test('can be closed while it starts to listen', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.close()
    await once(server, 'close')
    expect(server.address()).toBeNull()
    blocker.close()
  })
})

describe('listen()', () => {
  test(
    'lets a server listen on a port after it has listened on a unix socket',
    requiresUnixSockets(),
    async () => {
      const http = createHttp()
      const server = new WebSocketServer({ server: http })
      await listen(http, { unixPath: join(folder(), 'socket') })
      http.close()
      await once(http, 'close')
      await listen(http, { port: 0, host: '127.0.0.1' })
      expect(server.address()).toEqual(http.address())
      http.close()
    },
  )

  const refused: [string, () => ListenOptions, string][] = [
    ['a port out of range', () => ({ port: 99_999 }), 'ERR_SOCKET_BAD_PORT'],
    ['a port while it listens', () => ({ port: 0 }), 'ERR_SERVER_ALREADY_LISTEN'],
    [
      'a unix socket while it listens',
      () => ({ unixPath: join(folder(), 'a') }),
      'ERR_SERVER_ALREADY_LISTEN',
    ],
  ]

  test.each(refused)('rejects for %s, and leaves no listener', async (_name, options, code) => {
    const http = createHttp()
    if (code === 'ERR_SERVER_ALREADY_LISTEN') await listen(http, { port: 0, host: '127.0.0.1' })
    const events = ['listening', 'error', 'close']
    const before = events.map((event) => http.listenerCount(event))
    await expect(listen(http, options())).rejects.toMatchObject({ code })
    expect(events.map((event) => http.listenerCount(event))).toEqual(before)
    http.close()
  })
})
