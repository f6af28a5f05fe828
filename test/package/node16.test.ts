import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf, InstalledProject, type Outcome, runIn } from '../support/installed-project.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const document = readFileSync(join(root, 'docs/operations.md'), 'utf8')
const [documented] = blocksOf(document, 'TypeScript with `module: node16`', 'ts')

let project: InstalledProject
beforeAll(() => {
  project = new InstalledProject('@types', 'undici-types')
})
afterAll(() => {
  project.remove()
})

/** Compiles all programs in a folder into `out/`. test/package/types.test.ts checks the declarations themselves. */
async function compile(folder: string, module: string): Promise<Outcome> {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const config = {
    compilerOptions: {
      module,
      target: 'es2022',
      strict: true,
      skipLibCheck: true,
      types: ['node'],
      outDir: 'out',
    },
    include: ['*.ts'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  return runIn(folder, [tsc, '--pretty', 'false'])
}

const commonjs = { 'package.json': '{ "type": "commonjs" }' }
const direct = `
import { WebSocketServer } from 'hubwire'
const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
server.on('listening', () => {
  console.log('listening')
  server.close()
})
`

test.each(['node16', 'node18'])(
  'compiles and runs a CommonJS program with `module: %s` as docs/operations.md says (N12)',
  { timeout: 120_000 },
  async (module) => {
    const folder = project.folder({
      ...commonjs,
      'start.ts': documented!.replace('port: 8000', 'port: 0'),
      'main.ts': `
        import { start } from './start'
        async function main(): Promise<void> {
          const server = await start()
          server.on('connection', (socket) => {
            socket.on('message', (data, isBinary) => socket.send(isBinary ? data : data.toUpperCase()))
          })
          server.on('listening', async () => {
            const { connect } = await import('hubwire')
            const client = await connect(\`ws://127.0.0.1:\${(server.address() as { port: number }).port}\`)
            client.on('message', (data) => {
              console.log(data)
              void server.shutdown()
            })
            client.send('hello')
          })
        }
        void main()
        // @ts-expect-error the types are those of the package: there is no such option
        void import('hubwire').then(({ WebSocketServer }) => () => new WebSocketServer({ prot: 0 }))
      `,
      'direct.ts': direct,
    })
    // What the document warns of is the only error.
    expect(await compile(folder, module)).toEqual({
      code: 2,
      output: expect.stringMatching(/^direct\.ts\(2,33\): error TS1479: .*\n(?: .*\n)*$/) as string,
    })
    expect(readFileSync(join(folder, 'out/start.js'), 'utf8')).toContain('"use strict"')
    expect(await runIn(folder, ['out/main.js'])).toEqual({ code: 0, output: 'HELLO\n' })
  },
)

test.each(['node20', 'nodenext'])(
  'compiles and runs a CommonJS program with `module: %s` without special measures (N12)',
  { timeout: 120_000 },
  async (module) => {
    const folder = project.folder({ ...commonjs, 'direct.ts': direct })
    expect(await compile(folder, module)).toEqual({ code: 0, output: '' })
    expect(readFileSync(join(folder, 'out/direct.js'), 'utf8')).toContain('require("hubwire")')
    expect(await runIn(folder, ['out/direct.js'])).toEqual({ code: 0, output: 'listening\n' })
  },
)
