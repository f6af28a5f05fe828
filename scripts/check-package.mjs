// Packs the package as `npm publish` does, then checks the tarball with publint and Are The Types Wrong. Its size,
// contents and dependencies are tested in test/package.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = mkdtempSync(join(tmpdir(), 'hubwire-pack-'))
try {
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]
  const { stdout, status } = spawnSync('npm', pack, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error('npm pack failed')
  /** @type {[{ filename: string, size: number, unpackedSize: number, entryCount: number }]} */
  const [packed] = JSON.parse(stdout)
  const tarball = join(folder, packed.filename)
  console.log(
    `${packed.filename}: ${packed.entryCount} files, ${packed.size} bytes, ${packed.unpackedSize} unpacked`,
  )

  const { buffer } = new Uint8Array(readFileSync(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
  for (const message of messages) console.error(`publint: ${formatMessage(message, pkg) ?? message.code}`)
  if (messages.length === 0) console.log('publint: no findings')

  // This profile is for packages of ES modules only: it ignores require() and TypeScript's old node10 resolution.
  // --no-definitely-typed avoids network requests.
  const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
  const options = [
    '--profile',
    'esm-only',
    '--no-definitely-typed',
    '--no-emoji',
    '--format',
    'table-flipped',
    // The types of hubwire/ws are those of a CommonJS module, because require() of it returns the class itself.
    '--ignore-rules',
    'false-cjs',
  ]
  const types = spawnSync(process.execPath, [attw, tarball, ...options], { stdio: 'inherit' })

  process.exitCode = messages.length === 0 && types.status === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
