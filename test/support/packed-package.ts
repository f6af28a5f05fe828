import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface PackedPackage {
  /** A folder outside the repository with the package in its node_modules, as npm installs it. */
  readonly project: string
  /** project/node_modules/hubwire */
  readonly folder: string
  /** The path of each file within the package, with forward slashes, sorted. */
  readonly files: string[]
  /** The bytes of the tarball. */
  readonly size: number
  remove(): void
}

/** Packs the built package and unpacks it as `npm install` does. dist/ must have been built. */
export function installPackedPackage(): PackedPackage {
  const project = mkdtempSync(join(tmpdir(), 'hubwire-packed-'))
  const folder = join(project, 'node_modules', 'hubwire')
  mkdirSync(folder, { recursive: true })
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', project]
  const output = execFileSync('npm', pack, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ filename, size }] = JSON.parse(output) as [{ filename: string; size: number }]
  execFileSync('tar', ['-xzf', join(project, filename), '--strip-components=1', '-C', folder])
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .sort()
  return {
    project,
    folder,
    files,
    size,
    remove() {
      rmSync(project, { recursive: true, force: true })
    },
  }
}
