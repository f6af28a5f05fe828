import { chmodSync, existsSync, lstatSync, readdirSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { basename, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { connect, listen, type WebSocket } from 'hubwire'
import { createServer as createHttp, type IncomingMessage, type RequestOptions } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { Program } from '../support/program.js'
import { requires } from '../support/requirements.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { occupyTemporaryNames } from '../support/temporary-names.js'
import { startNginx } from './nginx.js'

const script = fileURLToPath(new URL('../../examples/unix-socket/server.js', import.meta.url))

function socketPath(): string {
  const folder = temporaryFolder()
  chmodSync(folder, 0o755)
  return join(folder, 'http.sock')
}

/** Runs examples/unix-socket until it is stopped or the test ends. */
function run(path: string, name: string, { takeover = false, mode = '660' } = {}): Program {
  const args = [script, path, ...(takeover ? ['takeover'] : [])]
  const program = new Program(process.execPath, args, { NAME: name, UNIX_MODE: mode })
  onTestFinished(async () => {
    await program.stop('SIGKILL')
  })
  return program
}

async function start(...[path, name, options]: Parameters<typeof run>): Promise<Program> {
  const program = run(path, name, options)
  await program.line(/^listening/)
  return program
}

async function fetched(where: RequestOptions): Promise<string> {
  const [response] = (await once(get({ ...where, agent: false }), 'response')) as [IncomingMessage]
  return text(response)
}

/** Returns the answers of the server at a path, over HTTP and WebSocket. The socket stays open. */
async function visit(path: string): Promise<{ http: string; greeting: unknown; socket: WebSocket }> {
  const socket = await connect(`ws+unix:${path}:/ws`)
  onTestFinished(() => {
    socket.terminate()
  })
  const [greeting] = (await once(socket, 'message')) as [unknown]
  return { http: await fetched({ socketPath: path }), greeting, socket }
}

const of = (name: string) => ({ http: `hello from ${name}\n`, greeting: `hello from ${name}` })

/** Expects that the folder contains only the socket: no lock, and no temporary name. */
function expectAlone(path: string): void {
  expect(readdirSync(dirname(path))).toEqual([basename(path)])
}

test('serves HTTP and WebSocket on one unix socket, which is removed with its server (N5)', async () => {
  const path = socketPath()
  const program = await start(path, 'one', { mode: '640' })
  expect(await visit(path)).toMatchObject(of('one'))
  expect(lstatSync(path).mode & 0o777).toBe(0o640)
  expectAlone(path)
  expect(await program.stop()).toEqual({ code: 0, signal: null })
  expect(existsSync(path)).toBe(false)
})

test('replaces the file that a killed server has left (N5)', async () => {
  const path = socketPath()
  await (await start(path, 'killed')).stop('SIGKILL')
  expect(existsSync(path)).toBe(true)
  await start(path, 'next')
  expect(await visit(path)).toMatchObject(of('next'))
  expectAlone(path)
})

test('fails with EADDRINUSE while another server is running, which is not affected (N5)', async () => {
  const path = socketPath()
  await start(path, 'first')
  const second = run(path, 'second')
  await second.line(/EADDRINUSE: address already in use .*http\.sock/)
  expect((await second.exit).code).toBe(1)
  expect(await visit(path)).toMatchObject(of('first'))
  expectAlone(path)
})

test('takes over from a server, which keeps its connections and does not remove the file (N5)', async () => {
  const path = socketPath()
  const old = await start(path, 'old')
  const { socket } = await visit(path)
  await start(path, 'new', { takeover: true })
  expect(await visit(path)).toMatchObject(of('new'))
  expect(socket.readyState).toBe(socket.OPEN)
  const closed = closeOf(socket)
  expect(await old.stop()).toEqual({ code: 0, signal: null })
  expect(await closed).toMatchObject({ code: 1001 })
  expect(await visit(path)).toMatchObject(of('new'))
  expectAlone(path)
})

test.each([
  ['an empty folder', false],
  ['the file of a killed server', true],
])('lets one of several servers listen that start at once on %s (N5)', async (_where, isStale) => {
  const path = socketPath()
  if (isStale) await (await start(path, 'killed')).stop('SIGKILL')
  const programs = ['a', 'b', 'c', 'd'].map((name) => run(path, name))
  const outcomes = await Promise.all(
    programs.map(async (program) => (await program.line(/^listening|EADDRINUSE: /))[0]),
  )
  expect([...outcomes].sort()).toEqual(['EADDRINUSE: ', 'EADDRINUSE: ', 'EADDRINUSE: ', 'listening'])
  const winner = ['a', 'b', 'c', 'd'][outcomes.indexOf('listening')]!
  expect(await visit(path)).toMatchObject(of(winner))
  expectAlone(path)
})

test('lets several servers take over one after the other (N5)', async () => {
  const path = socketPath()
  const programs = ['a', 'b', 'c'].map((name) => run(path, name, { takeover: true }))
  await Promise.all(programs.map((program) => program.line(/^listening/)))
  const { http } = await visit(path)
  const winner = ['a', 'b', 'c'].findIndex((name) => http === `hello from ${name}\n`)
  // The other servers have been replaced. They exit, and the file stays.
  const others = programs.filter((_program, index) => index !== winner)
  for (const other of others) expect(await other.stop()).toEqual({ code: 0, signal: null })
  expect((await visit(path)).http).toBe(http)
  expectAlone(path)
})

test('does not wait for the lock of a killed process (N5)', async () => {
  const path = socketPath()
  const holder = new Program(process.execPath, [
    '--eval',
    `require('node:net').createServer().listen(${JSON.stringify(`${path}.lock`)}, () => console.log('held'))`,
  ])
  onTestFinished(async () => {
    await holder.stop('SIGKILL')
  })
  await holder.line(/held/)
  const waiting = run(path, 'waiting')
  const ended = holder.stop('SIGKILL')
  await waiting.line(/^listening/)
  await ended
  await (await start(path, 'again', { takeover: true })).stop()
})

describe('listen()', () => {
  function http() {
    const server = createHttp()
    onTestFinished(() => {
      server.close()
    })
    return server
  }

  test('listens on a port too, and rejects if it is taken (N5)', async () => {
    const first = http()
    await listen(first, { port: 0, host: '127.0.0.1' })
    const { port } = first.address() as { port: number }
    const taken = listen(http(), { port, host: '127.0.0.1' })
    await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  test('leaves any other file unchanged (N5)', async () => {
    const path = socketPath()
    writeFileSync(path, 'precious')
    for (const takeover of [false, true]) {
      await expect(listen(http(), { unixPath: path, takeover })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    }
    expect(lstatSync(path).isFile()).toBe(true)
    expectAlone(path)
  })

  test('rejects with the given path if the folder does not exist (N5)', async () => {
    const path = join(socketPath(), 'nowhere', 'x.sock')
    await expect(listen(http(), { unixPath: path })).rejects.toMatchObject({
      code: 'ENOENT',
      address: path,
      syscall: 'listen',
    })
  })

  test('rejects if the system refuses the temporary name of the socket', async () => {
    const path = socketPath()
    occupyTemporaryNames(path)
    await expect(listen(http(), { unixPath: path })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  test('rejects a path that the system would truncate (N5)', async () => {
    const path = `/tmp/${'x'.repeat(100)}`
    await expect(listen(http(), { unixPath: path })).rejects.toThrow(/unixPath must be at most 92 bytes/)
  })

  test.each([[{}], [{ port: 1, unixPath: '/x' }]])(
    'rejects %j without exactly one address (N7)',
    async (options) => {
      await expect(listen(http(), options)).rejects.toThrow(/exactly one of the options port and unixPath/)
    },
  )

  test('waits for the lock, and does not listen if the server is closed meanwhile (N5)', async () => {
    const path = socketPath()
    const lock = createServer((socket) => socket.resume()).listen(`${path}.lock`)
    await once(lock, 'listening')
    const server = http()
    const listening = listen(server, { unixPath: path })
    const [waiting] = (await once(lock, 'connection')) as [{ destroy(): void }]
    server.close()
    await once(server, 'close')
    lock.close()
    waiting.destroy()
    await listening
    expect([server.listening, existsSync(path)]).toEqual([false, false])
  })
})

describe('nginx that runs as www-data', requires('nginx'), () => {
  async function behind(path: string): Promise<{ host: string; port: number }> {
    const instead = { 'server unix:/run/hubwire/worker.sock;': `server unix:${path};` }
    const nginx = await startNginx('unix-socket.conf', instead, 'www-data www-data')
    onTestFinished(() => nginx.stop())
    return nginx
  }

  test('has access with unixMode, also after the server was killed and restarted (N5)', async () => {
    const path = socketPath()
    const first = await start(path, 'first', { mode: '666' })
    const { host, port } = await behind(path)
    const socket = await connect(`ws://${host}/ws`)
    expect(await fetched({ host: '127.0.0.1', port })).toBe('hello from first\n')
    const closed = closeOf(socket)
    await first.stop('SIGKILL')
    expect((await closed).code).toBe(1006)
    await expect(connect(`ws://${host}/ws`)).rejects.toThrow('502 Bad Gateway')
    await start(path, 'second', { mode: '666' })
    expect(await fetched({ host: '127.0.0.1', port })).toBe('hello from second\n')
    const again = await connect(`ws://${host}/ws`)
    expect((await once(again, 'message'))[0]).toBe('hello from second')
    again.terminate()
  })

  test('has no access with a mode for the owner alone (N5)', async () => {
    const path = socketPath()
    await start(path, 'private', { mode: '600' })
    const { port } = await behind(path)
    const answer = await fetched({ host: '127.0.0.1', port })
    // Unless started by root, nginx runs as the user of this process.
    expect(answer).toContain(process.getuid?.() === 0 ? '502 Bad Gateway' : 'hello from private')
  })
})
