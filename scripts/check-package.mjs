// Packs the package as `npm publish` would and has publint and Are The Types Wrong read the tarball. What is in it
// and what it depends on is tested in test/package.
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
    `${packed.filename}: ${packed.entryCount} files, ${packed.size} octets, ${packed.unpackedSize} unpacked`,
  )

  const { buffer } = new Uint8Array(readFileSync(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
  for (const message of messages) console.error(`publint: ${formatMessage(message, pkg) ?? message.code}`)
  if (messages.length === 0) console.log('publint: no remarks')

  // The profile for a package that has ES modules alone: what require() and TypeScript's old node10 resolution make
  // of it is not judged. --no-definitely-typed keeps it off the network.
  const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
  const options = [
    '--profile',
    'esm-only',
    '--no-definitely-typed',
    '--no-emoji',
    '--format',
    'table-flipped',
  ]
  const types = spawnSync(process.execPath, [attw, tarball, ...options], { stdio: 'inherit' })

  process.exitCode = messages.length === 0 && types.status === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
