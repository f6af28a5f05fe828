// Makes a clone ready to run, whatever state it is in: installs the development dependencies when they are
// missing or older than package-lock.json, then compiles src/ to dist/. `npm start` and `npm test` begin here.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @param {string} command @param {string[]} args */
function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

// npm writes this file last, so it is there only when an installation was completed.
const installed = join(root, 'node_modules', '.package-lock.json')
const lock = join(root, 'package-lock.json')
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  run('npm', ['ci', '--no-audit', '--no-fund'])
}

run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'])

// What a deleted or renamed source left behind would be packed and would satisfy an import. dist/ is not emptied
// before the compilation, because something may be running from it.
for (const entry of readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const output = join(entry.parentPath, entry.name)
  const source = output
    .replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts')
    .replace(join(root, 'dist'), join(root, 'src'))
  if (!existsSync(source)) rmSync(output)
}
