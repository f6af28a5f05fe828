import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installPackedPackage, type PackedPackage } from '../support/packed-package.js'

let packed: PackedPackage

beforeAll(() => {
  packed = installPackedPackage()
})

afterAll(() => {
  packed.remove()
})

/** The modules of Node.js that are loaded once a program has run, among those that an import of hubwire must not load. */
function loadedBy(program: string): string[] {
  const script = `${program}
    const loaded = new Set(process.moduleLoadList)
    const slow = ['http', 'https', 'tls', 'internal/deps/undici/undici']
    console.log(JSON.stringify(slow.filter((name) => loaded.has('NativeModule ' + name))))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: packed.project,
    encoding: 'utf8',
  })
  return JSON.parse(output) as string[]
}

test.each(['hubwire', 'hubwire/ws'])('an import of %s loads no module of HTTP or TLS', (name) => {
  expect(loadedBy(`import ${JSON.stringify(name)}`)).toEqual([])
})

test('a server loads node:http, but not undici', () => {
  const program = `import { WebSocketServer } from 'hubwire'
    new WebSocketServer({ port: 0, host: '127.0.0.1' }).close()`
  const loaded = loadedBy(program)
  expect(loaded).toContain('http')
  expect(loaded).not.toContain('internal/deps/undici/undici')
})
