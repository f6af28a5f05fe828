import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importsOf } from '../support/imports.js'
import { installPackedPackage, type PackedPackage } from '../support/packed-package.js'

const source = fileURLToPath(new URL('../../src/', import.meta.url))

/** Bytes of the tarball. */
const MAX_SIZE = 228_000

let packed: PackedPackage

beforeAll(() => {
  packed = installPackedPackage()
})

afterAll(() => {
  packed.remove()
})

const read = (path: string): string => readFileSync(join(packed.folder, path), 'utf8')
const readJson = (path: string): Record<string, unknown> => JSON.parse(read(path)) as Record<string, unknown>

/** The targets of the links and images of a Markdown document, those of link definitions and HTML included. */
function linksIn(markdown: string): string[] {
  const targets = /\]\(<?([^)\s>]+)|^\s*\[[^\]]+\]:\s*(\S+)|(?:src|href)="([^"]+)"/gm
  return Array.from(
    markdown.matchAll(targets),
    ([, inline, defined, html]) => inline ?? defined ?? html ?? '',
  )
}

/** The declarations that an import of these leads to. */
function reachable(paths: string[], found = new Set<string>()): Set<string> {
  for (const path of paths.filter((one) => !found.has(one))) {
    found.add(path)
    const imported = importsOf(read(path)).filter((name) => name.startsWith('.'))
    reachable(
      imported.map((name) => posix.join(posix.dirname(path), name.replace(/\.js$/, '.d.ts'))),
      found,
    )
  }
  return found
}

describe('the packed package', () => {
  test('depends on nothing', () => {
    const manifest = readJson('package.json')
    for (const field of ['dependencies', 'optionalDependencies', 'bundleDependencies', 'peerDependencies']) {
      expect(manifest[field] ?? {}, field).toEqual({})
    }
  })

  test('runs no script on installation', () => {
    const { scripts } = readJson('package.json') as { scripts: Record<string, string> }
    const onInstallation = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare']
    expect(Object.keys(scripts).filter((name) => onInstallation.includes(name))).toEqual([])
    expect(packed.files).not.toContain('binding.gyp')
  })

  test('names its repository, home page and issue tracker (N8)', () => {
    const { repository, homepage, bugs } = readJson('package.json')
    expect({ repository, homepage, bugs }).toEqual({
      repository: { type: 'git', url: 'git+https://github.com/hubwire/hubwire.git' },
      homepage: 'https://github.com/hubwire/hubwire#readme',
      bugs: { url: 'https://github.com/hubwire/hubwire/issues' },
    })
  })

  test('is at most 228 KB (N8)', () => {
    expect(packed.size).toBeLessThanOrEqual(MAX_SIZE)
  })

  test('holds its documents, the code of each module, the declarations of what can be imported, and nothing else', () => {
    const modules = readdirSync(source, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => path.replaceAll(sep, '/').replace(/\.ts$/, ''))
    expect(modules).toContain('index')
    expect(modules).toContain('protocol/index')
    const declarations = packed.files.filter((path) => path.endsWith('.d.ts'))
    expect(packed.files.filter((path) => !declarations.includes(path))).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'package.json',
        // Written by hand, and not compiled.
        'dist/ws/index.d.cts',
        'dist/ws/index.d.mts',
        ...modules.map((name) => `dist/${name}.js`),
      ].sort(),
    )
    expect(declarations.toSorted()).toEqual(
      [
        ...reachable([
          'dist/index.d.ts',
          'dist/browser/index.d.ts',
          'dist/protocol/index.d.ts',
          'dist/relay/cluster/cluster.d.ts',
          'dist/relay/nats/nats.d.ts',
          'dist/relay/redis/redis.d.ts',
          'dist/testing/testing.d.ts',
        ]),
      ].sort(),
    )
  })

  test('points to no source map', () => {
    const pointing = packed.files.filter(
      (path) => path.startsWith('dist/') && read(path).includes('sourceMappingURL'),
    )
    expect(pointing).toEqual([])
  })

  test.each(['README.md', 'CHANGELOG.md'])(
    '%s has only links that work outside the repository (N8)',
    (document) => {
      const links = linksIn(read(document))
      expect(links).not.toEqual([])
      expect(links.filter((link) => !link.startsWith('https://') && !link.startsWith('#'))).toEqual([])
    },
  )

  test('README.md links to files that exist in the repository (N8)', () => {
    const pattern =
      /^https:\/\/(?:github\.com\/hubwire\/hubwire\/blob|raw\.githubusercontent\.com\/hubwire\/hubwire)\/main\/([^#]+)/
    const paths = linksIn(read('README.md')).flatMap((link) => pattern.exec(link)?.[1] ?? [])
    expect(paths).not.toEqual([])
    expect(paths.filter((path) => !existsSync(join(source, '..', path)))).toEqual([])
  })

  test('imports only its own files and modules of Node.js', () => {
    const built = packed.files.filter((path) => /^dist\/.*(\.js|\.d\.ts)$/.test(path))
    expect(built).not.toEqual([])
    for (const path of built) {
      for (const name of importsOf(read(path))) {
        if (name.startsWith('node:')) continue
        expect(name, path).toMatch(/^\.\.?\/.*\.js$/)
        expect(existsSync(join(packed.folder, dirname(path), name)), `${path}: ${name}`).toBe(true)
      }
    }
  })
})
