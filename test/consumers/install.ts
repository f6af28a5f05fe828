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
 * every `ws` among them. `hubwire` is beside them.
 */
export default function installConsumers(): void {
  const installed = join(modules, '.package-lock.json')
  const lock = join(folder, 'package-lock.json')
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    npm(folder, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
  }
  const packed = mkdtempSync(join(tmpdir(), 'hubwire-packed-'))
  try {
    const ws = pack(join(root, 'packages', 'ws'), join(packed, 'ws'))
    for (const place of placesOfWs()) unpack(ws, place)
    unpack(pack(root, join(packed, 'hubwire')), join(modules, 'hubwire'))
  } finally {
    rmSync(packed, { recursive: true })
  }
}

/** The folders of `ws`, also of those that a consumer has for itself. */
export function placesOfWs(): string[] {
  return readdirSync(modules, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() && entry.name === 'ws' && entry.parentPath.endsWith('node_modules'),
    )
    .map((entry) => join(entry.parentPath, entry.name))
}

/** What package.json of a folder says. */
export function manifestOf(place: string): { name: string; version: string } {
  return JSON.parse(readFileSync(join(place, 'package.json'), 'utf8')) as { name: string; version: string }
}

/** The version of an installed package. */
export function versionOf(name: string): string {
  return manifestOf(join(modules, name)).version
}

function pack(from: string, to: string): string {
  mkdirSync(to)
  npm(from, ['pack', '--silent', '--ignore-scripts', '--pack-destination', to])
  return join(to, readdirSync(to)[0]!)
}

function unpack(tarball: string, place: string): void {
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', place])
}

function npm(cwd: string, parameters: string[]): void {
  execFileSync('npm', parameters, {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
}
