// Prepares a clone in any state: installs the development dependencies if they are missing or older than
// package-lock.json, then compiles src/ to build/ and bundles build/ to dist/. Most npm scripts start with it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @param {string} command @param {string[]} args @param {boolean} [shell] @returns {Promise<void>} */
async function run(command, args, shell = false) {
  const [status] = await once(spawn(command, args, { cwd: root, stdio: 'inherit', shell }), 'exit')
  if (status !== 0) process.exit(status ?? 1)
}

// npm writes this file last, so it exists only after a complete installation.
const installed = join(root, 'node_modules', '.package-lock.json')
const lock = join(root, 'package-lock.json')
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  // On Windows npm is a batch file, which only a shell can start.
  await run('npm', ['ci', '--no-audit', '--no-fund'], process.platform === 'win32')
}

// The documentation comments are in the declarations alone, where editors read them: in both they would be a fifth of
// the packed size.
const tsc = [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json']
const codeOnly = [
  '--declaration',
  'false',
  '--isolatedDeclarations',
  'false',
  '--removeComments',
  '--noCheck',
]
await Promise.all([
  run(process.execPath, [...tsc, '--emitDeclarationOnly']),
  run(process.execPath, [...tsc, ...codeOnly]),
])

// Remove the output of deleted or renamed sources: imports of it would still resolve.
const build = join(root, 'build')
for (const entry of readdirSync(build, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const output = join(entry.parentPath, entry.name)
  const source = relative(build, output).replace(/(?:\.d\.ts|\.js)$/, '.ts')
  if (!existsSync(join(root, 'src', source))) rmSync(output, { force: true })
}

// Imported here, because its packages may have been installed only now.
const { bundlePackages } = await import('./bundle.mjs')
await bundlePackages(root)
