import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installPackedPackage, type PackedPackage } from '../support/packed-package.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)
let packed: PackedPackage

beforeAll(() => {
  packed = installPackedPackage()
})

afterAll(() => {
  packed.remove()
})

/** Runs a program in the project that has the package installed. The process must exit by itself. */
async function runProgram(name: string, source: string): Promise<{ stdout: string; stderr: string }> {
  const path = join(packed.project, name)
  await writeFile(path, source)
  return await run(process.execPath, [path], { env: { ...process.env, NODE_OPTIONS: '' } })
}

describe('an installed package', () => {
  test('can be imported by an ES module', async () => {
    const { stdout, stderr } = await runProgram(
      'import.mjs',
      `import WebSocket, * as hubwire from 'hubwire'
       import * as protocol from 'hubwire/protocol'
       import * as cluster from 'hubwire/cluster'
       import * as nats from 'hubwire/nats'
       import * as redis from 'hubwire/redis'
       import * as testing from 'hubwire/testing'
       console.log(JSON.stringify({
         same: WebSocket === hubwire.WebSocket,
         hubwire: typeof hubwire.WebSocketServer,
         protocol: Object.keys(protocol).length > 0,
         cluster: Object.keys(cluster),
         nats: Object.keys(nats),
         redis: Object.keys(redis),
         testing: Object.keys(testing),
       }))`,
    )
    expect(JSON.parse(stdout)).toEqual({
      same: true,
      hubwire: 'function',
      protocol: true,
      cluster: ['clusterRelay'],
      nats: ['natsRelay'],
      redis: ['redisRelay'],
      testing: ['relayChecks'],
    })
    expect(stderr).toBe('')
  })

  test('can be required by a CommonJS module, as the same module and without a warning', async () => {
    const { stdout, stderr } = await runProgram(
      'require.cjs',
      `const { WebSocketServer, WebSocket, Hub } = require('hubwire')
       const protocol = require('hubwire/protocol')
       const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
       server.on('listening', async () => {
         const imported = await import('hubwire')
         console.log(JSON.stringify({
           port: server.address().port > 0,
           same: imported.WebSocket === WebSocket && imported.Hub === Hub,
           protocol: protocol === await import('hubwire/protocol'),
           redis: require('hubwire/redis') === await import('hubwire/redis'),
           testing: require('hubwire/testing') === await import('hubwire/testing'),
         }))
         server.close()
       })`,
    )
    expect(JSON.parse(stdout)).toEqual({
      port: true,
      same: true,
      protocol: true,
      redis: true,
      testing: true,
    })
    expect(stderr).toBe('')
  })

  test('does not keep the process running when it is loaded', async () => {
    const entries = ['', '/cluster', '/nats', '/protocol', '/redis', '/testing'].map(
      (path) => `hubwire${path}`,
    )
    const output = await runProgram('load.mjs', entries.map((entry) => `import '${entry}'`).join('\n'))
    expect(output).toEqual({ stdout: '', stderr: '' })
  })

  test('runs the checks of hubwire/testing on a relay that is wrong, without a test runner', async () => {
    const { stdout } = await runProgram(
      'checks.mjs',
      `import { relayChecks } from 'hubwire/testing'
       const refuse = () => Promise.reject(new Error('not open'))
       const relay = () => ({
         open: (events) => events.misconfigured(new Error('a wrong password')),
         publish: refuse,
         subscribe: refuse,
         unsubscribe: refuse,
         close: () => Promise.resolve(),
       })
       const results = await Promise.allSettled(relayChecks(relay).map(({ run }) => run()))
       console.log(JSON.stringify(results.map(({ reason }) => reason?.message)))`,
    )
    const messages = JSON.parse(stdout) as unknown[]
    expect(messages.filter((message) => message === 'a wrong password').length).toBe(messages.length - 1)
  })

  test.each(['hubwire/dist/index.js', 'hubwire/src/index.ts', 'hubwire/hub', 'hubwire/relay'])(
    'does not export %s',
    async (name) => {
      const { stdout } = await runProgram(
        'inner.mjs',
        `import('${name}').catch(({ code }) => console.log(code))`,
      )
      expect(stdout.trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
    },
  )

  test('exports its package.json', async () => {
    const { stdout } = await runProgram('manifest.cjs', `console.log(require('hubwire/package.json').name)`)
    expect(stdout.trim()).toBe('hubwire')
  })
})

describe('in the repository', () => {
  test('hubwire resolves to dist/', async () => {
    const names = [
      'hubwire',
      'hubwire/cluster',
      'hubwire/nats',
      'hubwire/protocol',
      'hubwire/redis',
      'hubwire/testing',
    ]
    const program = `console.log(...${JSON.stringify(names)}.map((name) => import.meta.resolve(name)))`
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: root })
    const dist = new URL('../../dist/', import.meta.url)
    expect(stdout.trim().split(' ')).toEqual([
      new URL('index.js', dist).href,
      new URL('cluster.js', dist).href,
      new URL('nats.js', dist).href,
      new URL('protocol.js', dist).href,
      new URL('redis.js', dist).href,
      new URL('testing.js', dist).href,
    ])
  })
})
