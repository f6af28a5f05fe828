// Prepares a clone in any state: installs the development dependencies if they are missing or older than
// package-lock.json, then compiles src/ to dist/. Most npm scripts start with it.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @param {string} command @param {string[]} args @param {boolean} [shell] */
function run(command, args, shell = false) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

// npm writes this file last, so it exists only after a complete installation.
const installed = join(root, 'node_modules', '.package-lock.json')
const lock = join(root, 'package-lock.json')
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  // On Windows npm is a batch file, which only a shell can start.
  run('npm', ['ci', '--no-audit', '--no-fund'], process.platform === 'win32')
}

// The documentation comments are in the declarations alone, where editors read them: in both they would be a fifth of
// the packed size.
const tsc = [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json']
run(process.execPath, [...tsc, '--emitDeclarationOnly'])
run(process.execPath, [
  ...tsc,
  '--declaration',
  'false',
  '--isolatedDeclarations',
  'false',
  '--removeComments',
  '--noCheck',
])

// packages/ws is the same code in CommonJS.
run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.ws.json'])

// The types of hubwire/ws are written by hand.
const written = new Set()
for (const file of ['ws/index.d.cts', 'ws/index.d.mts']) {
  for (const folder of ['dist', 'packages/ws/dist']) {
    copyFileSync(join(root, 'src', file), join(root, folder, file))
    written.add(join(root, folder, file))
  }
}

// Declarations that no entry point leads to describe internals, which nobody can import.
const published = new Set()
/** @param {string} file */
function publish(file) {
  if (published.has(file)) return
  published.add(file)
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(
    /(?:from|import\()\s*["'](\.[^"']+)\.js["']/g,
  )) {
    publish(join(dirname(file), `${specifier}.d.ts`))
  }
}
for (const entry of [
  'index.d.ts',
  'browser/index.d.ts',
  'protocol/index.d.ts',
  'relay/cluster/cluster.d.ts',
  'relay/nats/nats.d.ts',
  'relay/redis/redis.d.ts',
  'testing/testing.d.ts',
])
  publish(join(root, 'dist', entry))

// Remove the output of deleted or renamed sources: it would be packed, and imports of it would still resolve. dist/ is
// not emptied before the compilation, because a process may be running from it.
const dist = join(root, 'dist')
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const output = join(entry.parentPath, entry.name)
  if (written.has(output)) continue
  const [, module] = /^(.*?)(?:\.d\.ts|\.js)$/.exec(relative(dist, output)) ?? []
  const isStale = module === undefined || !existsSync(join(root, 'src', `${module}.ts`))
  if (isStale || (output.endsWith('.d.ts') && !published.has(output))) rmSync(output)
}
