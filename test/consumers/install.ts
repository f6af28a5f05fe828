import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The folder with the package.json of the consumers. */
export const folder: string = fileURLToPath(new URL('./', import.meta.url))

const modules = join(folder, 'node_modules')

/**
 * Installs the consumers as their lock file has them, unless they are there, and puts packages/ws, packed, in the place of
 * every `ws` among them.
 *
 * @returns how many were replaced
 */
export function installConsumers(): number {
  const installed = join(modules, '.package-lock.json')
  const lock = join(folder, 'package-lock.json')
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    npm(folder, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
  }
  const packed = mkdtempSync(join(tmpdir(), 'hubwire-ws-'))
  try {
    npm(join(root, 'packages', 'ws'), ['pack', '--ignore-scripts', '--pack-destination', packed])
    const tarball = join(packed, readdirSync(packed)[0]!)
    const places = placesOfWs()
    for (const place of places) {
      rmSync(place, { recursive: true })
      mkdirSync(place)
      execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', place])
    }
    return places.length
  } finally {
    rmSync(packed, { recursive: true })
  }
}

/** The version of an installed package. */
export function versionOf(name: string): string {
  const manifest = readFileSync(join(modules, name, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/** The folders of `ws`, also of those that a consumer has for itself. */
function placesOfWs(): string[] {
  return readdirSync(modules, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() && entry.name === 'ws' && entry.parentPath.endsWith('node_modules'),
    )
    .map((entry) => join(entry.parentPath, entry.name))
}

function npm(cwd: string, parameters: string[]): void {
  execFileSync('npm', parameters, {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
}
