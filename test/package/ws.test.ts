import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installPackedPackage, type PackedPackage } from '../support/packed-package.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A program against the types of `ws`, in CommonJS. */
const COMMONJS = `
import WebSocket = require('NAME')
const server: WebSocket.Server = new WebSocket.Server({ port: 0, perMessageDeflate: { threshold: 1 } })
server.on('connection', (socket, request) => {
  const one: WebSocket = socket
  one.on('message', (data: WebSocket.RawData, isBinary: boolean) => { one.send(data, { binary: isBinary }) })
  one.once('close', (code, reason) => { const bytes: Buffer = reason; void [code, bytes] })
  one.on('of-the-application', (...values: unknown[]) => { void values })
  void request.headers
})
const verifyClient: WebSocket.VerifyClientCallbackAsync = (info, callback) => { callback(info.secure, 401, 'no') }
class Mine extends WebSocket { user?: string }
const typed = new WebSocket.WebSocketServer<typeof Mine>({ noServer: true, verifyClient, WebSocket: Mine })
for (const socket of typed.clients) if (socket.readyState === WebSocket.OPEN) socket.send(socket.user ?? '', (error) => { void error })
const client = new WebSocket('ws://a.example', { headers: { a: 'b' }, handshakeTimeout: 1 })
client.onmessage = ({ data }) => { const any: WebSocket.Data = data; void any }
client.addEventListener('close', ({ code, wasClean, reason }) => { void [code, wasClean, reason] }, { once: true })
void WebSocket.createWebSocketStream(client, { encoding: 'utf8' })
`

/** The same as an ES module. */
const MODULE = `
import WebSocket, { createWebSocketStream, Server, WebSocketServer } from 'NAME'
import type { ClientOptions, MessageEvent, RawData, ServerOptions, VerifyClientCallbackSync } from 'NAME'
const verifyClient: VerifyClientCallbackSync = ({ origin }) => origin === 'a'
const options: ServerOptions = { port: 0, verifyClient }
const server: Server = new WebSocketServer(options)
server.on('connection', (socket: WebSocket) => { socket.on('message', (data: RawData) => { void data }) })
const clientOptions: ClientOptions = {}
const client = new WebSocket('ws://a.example', ['chat'], clientOptions)
client.onmessage = (event: MessageEvent) => { void event.data }
void createWebSocketStream(client)
`

let packed: PackedPackage

beforeAll(() => {
  packed = installPackedPackage()
  symlinkSync(join(root, 'node_modules', '@types'), join(packed.project, 'node_modules', '@types'))
  symlinkSync(
    join(root, 'node_modules', 'undici-types'),
    join(packed.project, 'node_modules', 'undici-types'),
  )
  symlinkSync(join(root, 'packages', 'ws'), join(packed.project, 'node_modules', 'hubwire-ws'))
})

afterAll(() => {
  packed.remove()
})

/** Compiles programs, by their file names, and returns TypeScript's output. */
function compile(module: string, programs: Record<string, string>): string {
  const folder = mkdtempSync(join(packed.project, 'programs-'))
  const files = Object.entries(programs).map(([name, source]) => {
    writeFileSync(join(folder, name), source)
    return join(folder, name)
  })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--types', 'node', '--module', module]
  const { stdout } = spawnSync(process.execPath, [tsc, '--skipLibCheck', ...options, ...files], {
    cwd: packed.project,
    encoding: 'utf8',
  })
  return stdout
}

test.each(['node16', 'node20', 'nodenext'])(
  'programs for ws compile with module %s, wrong ones do not',
  (module) => {
    const wrong = "import WebSocket from 'hubwire/ws'\nnew WebSocket(5)"
    const output = compile(module, {
      'program.cts': COMMONJS.replaceAll('NAME', 'hubwire/ws'),
      'program.mts': MODULE.replaceAll('NAME', 'hubwire/ws'),
      'package.cts': COMMONJS.replaceAll('NAME', 'hubwire-ws'),
      'package.mts': MODULE.replaceAll('NAME', 'hubwire-ws'),
      'wrong.mts': wrong,
    })
    expect(output.match(/[a-z]+\.[cm]ts\(\d+,\d+\): error TS\d+/g)).toEqual(['wrong.mts(2,15): error TS2769'])
  },
  120_000,
)

test('npm gives packages that depend on ws the packed package by overrides', () => {
  const project = mkdtempSync(join(tmpdir(), 'hubwire-overrides-'))
  try {
    const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', project]
    const npm = (cwd: string, parameters: string[]): string => {
      const { stdout, stderr, status } = spawnSync('npm', parameters, { cwd, encoding: 'utf8' })
      expect(status, stderr).toBe(0)
      return stdout.trim()
    }
    const tarball = npm(join(root, 'packages', 'ws'), pack)
    // A package that depends on ws, like one from the registry.
    const dependent = join(project, 'dependent')
    mkdirSync(dependent)
    const manifest = { name: 'dependent', version: '1.0.0', main: 'index.js', dependencies: { ws: '^8.0.0' } }
    writeFileSync(join(dependent, 'package.json'), JSON.stringify(manifest))
    writeFileSync(join(dependent, 'index.js'), `module.exports = require('ws')`)
    const dependentTarball = npm(dependent, pack)
    writeFileSync(
      join(project, 'package.json'),
      JSON.stringify({
        private: true,
        dependencies: { dependent: `file:./${dependentTarball}`, ws: `file:./${tarball}` },
        overrides: { ws: '$ws' },
      }),
    )
    npm(project, ['install', '--offline', '--no-audit', '--no-fund'])
    const program = `
      const WebSocket = require('dependent')
      import('ws').then((ws) => console.log(JSON.stringify({
        name: require('ws/package.json').name,
        isSame: ws.default === WebSocket && ws.WebSocketServer === WebSocket.Server,
        isClass: new WebSocket(null) instanceof WebSocket,
        hasFrames: typeof ws.Sender.frame,
      })))`
    const { stdout } = spawnSync(process.execPath, ['--eval', program], { cwd: project, encoding: 'utf8' })
    expect(JSON.parse(stdout)).toEqual({
      name: 'hubwire-ws',
      isSame: true,
      isClass: true,
      hasFrames: 'function',
    })
  } finally {
    rmSync(project, { recursive: true })
  }
})

test('the packed package can be required as the class itself', () => {
  const program = `
    const WebSocket = require('hubwire/ws')
    import('hubwire/ws').then((ws) => console.log(JSON.stringify([
      WebSocket.name, WebSocket.Server.name, ws.default === WebSocket, ws.WebSocketServer === WebSocket.WebSocketServer,
    ])))`
  const { stdout } = spawnSync(process.execPath, ['--eval', program], {
    cwd: packed.project,
    encoding: 'utf8',
  })
  expect(JSON.parse(stdout)).toEqual(['WebSocket', 'WebSocketServer', true, true])
})
