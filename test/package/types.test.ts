import { execFile } from 'node:child_process'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installPackedPackage, type PackedPackage } from '../support/packed-package.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
let packed: PackedPackage

beforeAll(() => {
  packed = installPackedPackage()
  symlinkSync(
    join(root, 'node_modules', '@types'),
    join(packed.project, 'node_modules', '@types'),
    'junction',
  )
  symlinkSync(
    join(root, 'node_modules', 'undici-types'),
    join(packed.project, 'node_modules', 'undici-types'),
    'junction',
  )
  writeFileSync(join(packed.project, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(packed.project, 'program.ts'), program)
})

afterAll(() => {
  packed.remove()
})

// The errors are expected, so that types that allow everything (an import that resolved to `any`) fail the test.
const program = `
import WebSocket, { Hub, WebSocketServer } from 'hubwire'
import type { Gap, Relay, RelayOptions } from 'hubwire'
import * as protocol from 'hubwire/protocol'
import { redisRelay, type RedisClient } from 'hubwire/redis'
import { relayChecks } from 'hubwire/testing'

declare const client: RedisClient
const options: RelayOptions = { prefix: 'chat:', plain: true, maxPayload: null }
const relay: Relay = redisRelay(client, options)
const relayed = new Hub({ relay })
relayed.on('gap', (gap: Gap) => {
  const missed: number | undefined = gap.missed
  // @ts-expect-error there is no such cause
  if (gap.cause === 'nothing') String(missed)
})
relayed.publish('room', 'text').then(({ relayed, delivered }) => {
  const both: [boolean, number] = [relayed, delivered]
  return both
})
for (const { name, run } of relayChecks(() => relay)) {
  const check: () => Promise<void> = run
  String([name, check])
}
// @ts-expect-error there is no such option
redisRelay(client, { prefx: 'chat:' })
// @ts-expect-error a URL is no client
redisRelay('redis://127.0.0.1')

const hub = new Hub()
const server = new WebSocketServer({ port: 0 })
server.on('connection', (socket, request) => {
  const connected: WebSocket = socket
  const url: string | undefined = request.url
  connected.send(String(url))
  // @ts-expect-error a message is not a Date
  connected.send(new Date())
  hub.group('room').add(socket)
  socket.on('message', (data, isBinary) => {
    const binary: boolean = isBinary
    hub.group('room').broadcast(data, { except: socket, binary })
  })
})
// @ts-expect-error there is no such option
new WebSocketServer({ prot: 0 })
// @ts-expect-error there is no such name
protocol.nothing()
`

async function compile(name: string, compilerOptions: object): Promise<string> {
  const config = join(packed.project, `tsconfig.${name}.json`)
  const strict = {
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    target: 'ES2022',
    lib: ['ES2022'],
    ...compilerOptions,
  }
  writeFileSync(config, JSON.stringify({ compilerOptions: strict, files: ['program.ts'] }))
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  return await promisify(execFile)(process.execPath, [tsc, '-p', config, '--pretty', 'false']).then(
    () => 'compiles',
    (error: unknown) => (error as { stdout: string }).stdout.split('\n').slice(0, 8).join('\n'),
  )
}

describe('a strict program that also checks the declarations compiles with', () => {
  test.each([
    ['nodenext', { module: 'NodeNext', types: ['node'], exactOptionalPropertyTypes: true }],
    ['bundler', { module: 'ESNext', moduleResolution: 'Bundler', types: ['node'] }],
    // TypeScript 6 includes no @types by itself, so the declarations have to reference those of Node.js.
    ['no-types', { module: 'NodeNext', types: [] }],
  ])('%s', { timeout: 120_000 }, async (name, compilerOptions) => {
    expect(await compile(name, compilerOptions)).toBe('compiles')
  })
})

test.each(['index', 'browser', 'cluster', 'nats', 'protocol', 'redis', 'testing'])(
  'the declarations of %s have the values of the module, and everything else as a type',
  async (entry) => {
    const dist = join(packed.project, 'node_modules', 'hubwire', 'dist')
    const declarations = readFileSync(join(dist, `${entry}.d.ts`), 'utf8')
    const lists = [...declarations.matchAll(/^export \{ (.*) \}(?:| from '.*');$/gm)]
    const values = lists.flatMap(([, names]) => names!.split(', ').map((name) => name.split(' as ').at(-1)!))
    const module = (await import(pathToFileURL(join(dist, `${entry}.js`)).href)) as object
    expect(values.toSorted()).toEqual(Object.keys(module).toSorted())
    // Everything is in one of the lists.
    expect(declarations).not.toMatch(/^export (?!\{|type \{)/m)
  },
)
