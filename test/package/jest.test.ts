import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf, InstalledProject, type Outcome, runIn } from '../support/installed-project.js'

const document = readFileSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8')
const jest = join(dirname(createRequire(import.meta.url).resolve('jest/package.json')), 'bin', 'jest.js')

let project: InstalledProject
beforeAll(() => {
  project = new InstalledProject('@babel', 'babel-jest')
})
afterAll(() => {
  project.remove()
})

/** The files in the section on Jest, by the names in their first lines. */
const documented = Object.fromEntries(
  blocksOf(document, 'Jest', '').map((block) => {
    const [, name] = /^\/\/ (\S+)\n/.exec(block)!
    return [name!, block]
  }),
)

/** A test that a user may have: messages of both kinds, compression, groups, a user and a refusal. */
const body = `
test('hubwire', async () => {
  const hub = new Hub()
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: true,
    authenticate: (request) => queryToken(request) ?? refuse(401, { body: 'A token is missing' }),
  })
  server.on('connection', (socket) => {
    hub.group('all').add(socket)
    socket.on('message', (data, isBinary) => hub.group('all').broadcast(isBinary ? data : socket.user + ': ' + data))
  })
  await once(server, 'listening')
  const url = 'ws://127.0.0.1:' + server.address().port
  await expect(connect(url)).rejects.toThrow('401 Unauthorized: A token is missing')
  const client = await connect(url + '/?token=ada', { perMessageDeflate: true })
  const received = []
  client.on('message', (data) => received.push(data))
  client.send('x'.repeat(2000))
  client.send(new Uint8Array([1, 2]))
  client.send(new Uint8Array([3, 4]).buffer)
  while (received.length < 3) await once(client, 'message')
  expect(received).toEqual(['ada: ' + 'x'.repeat(2000), Buffer.from([1, 2]), Buffer.from([3, 4])])
  expect(await server.shutdown()).toEqual({ closed: 1, terminated: 0 })
})
`
const required = `
const { once } = require('node:events')
const { connect, Hub, queryToken, refuse, WebSocketServer } = require('hubwire')
${body}`
const imported = `
import { once } from 'node:events'
import { connect, Hub, queryToken, refuse, WebSocketServer } from 'hubwire'
${body}`

async function runJest(files: Readonly<Record<string, string>>, nodeOptions = ''): Promise<Outcome> {
  return runIn(project.folder(files), [jest, '--no-cache'], { NODE_OPTIONS: nodeOptions })
}

const passed = { code: 0, output: expect.stringMatching(/Tests: +1 passed, 1 total/) as string }

const refused = {
  code: 1,
  output: expect.stringContaining('Must use import to load ES Module') as string,
}

test('without a configuration Jest cannot load the package (N12)', { timeout: 120_000 }, async () => {
  expect(await runJest({ 'package.json': '{}', 'hubwire.test.js': required })).toEqual(refused)
})

test.each([
  ['require', required],
  ['import', imported],
])(
  'Jest runs tests that %s it, as docs/operations.md says (N12)',
  { timeout: 120_000 },
  async (_how, source) => {
    expect(Object.keys(documented)).toEqual(['jest.config.js', 'babel.config.js'])
    expect(await runJest({ 'package.json': '{}', ...documented, 'hubwire.test.js': source })).toEqual(passed)
  },
)

test('Jest runs ES modules with --experimental-vm-modules (N12)', { timeout: 120_000 }, async () => {
  expect(document).toContain('NODE_OPTIONS=--experimental-vm-modules npx jest')
  const files = { 'package.json': '{ "type": "module" }', 'hubwire.test.js': imported }
  const config = { 'jest.config.js': 'export default { transform: {} }' }
  expect(await runJest({ ...files, ...config }, '--experimental-vm-modules')).toEqual(passed)
})

test('Jest requires it with that option from Node.js 24.9 on (N12)', { timeout: 120_000 }, async () => {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
  const files = { 'package.json': '{}', 'hubwire.test.js': required }
  const outcome = await runJest(files, '--experimental-vm-modules')
  expect(outcome).toEqual(major > 24 || (major === 24 && minor >= 9) ? passed : refused)
})
