import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { entryPoints } from '../../scripts/entry-points.mjs'
import { importsOf } from '../support/imports.js'
import { installPackedPackage, type PackedPackage } from '../support/packed-package.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const entries = Object.keys(entryPoints)

/** Bytes of the tarball. */
const MAX_SIZE = 173_000

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

/** All strings in a value of package.json. */
function stringsIn(value: unknown): string[] {
  return typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(stringsIn)
}

const declarationsOf: Record<string, string> = { '.js': '.d.ts', '.cjs': '.d.cts', '.mjs': '.d.mts' }

/** The file that a relative import in a file leads to. */
function imported(path: string, name: string): string {
  const file = posix.join(posix.dirname(path), name)
  const extension = posix.extname(file)
  return /\.d\.[cm]?ts$/.test(path) ? file.slice(0, -extension.length) + declarationsOf[extension]! : file
}

/** The files that an import of these loads, themselves included. */
function reachable(paths: string[], found = new Set<string>()): Set<string> {
  for (const path of paths.filter((one) => !found.has(one))) {
    found.add(path)
    const names = importsOf(read(path)).filter((name) => name.startsWith('.'))
    reachable(
      names.map((name) => imported(path, name)),
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

  test('is at most 173 KB (N8)', () => {
    expect(packed.size).toBeLessThanOrEqual(MAX_SIZE)
  })

  test('holds its documents, the bundled code and declarations, and nothing else', () => {
    expect(packed.files).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'package.json',
        ...entries.map((name) => `dist/${name}.js`),
        ...entries.filter((name) => name !== 'ws/index').map((name) => `dist/${name}.d.ts`),
        'dist/not-for-pages.js',
        // Written by hand.
        'dist/ws/index.d.cts',
        'dist/ws/index.d.mts',
        'dist/chunks/core.js',
        'dist/chunks/options.js',
        'dist/chunks/protocol.d.ts',
        'dist/chunks/protocol.js',
        'dist/chunks/relay.d.ts',
        'dist/chunks/relay.js',
      ].sort(),
    )
  })

  test('holds no file in dist/ that no entry point leads to', () => {
    const targets = stringsIn(readJson('package.json').exports).map((path) => posix.normalize(path))
    const built = packed.files.filter((path) => path.startsWith('dist/'))
    expect(built.filter((path) => !reachable(targets).has(path))).toEqual([])
  })

  test.each([
    ['index', ['core', 'options', 'protocol', 'relay']],
    ['browser', []],
    ['protocol', ['options', 'protocol']],
    ['redis', ['options', 'relay']],
    ['ws/index', ['core', 'options', 'protocol']],
  ])('loads for %s only the chunks %j', (entry, chunks) => {
    const files = [`dist/${entry}.js`, ...chunks.map((name) => `dist/chunks/${name}.js`)]
    expect([...reachable([`dist/${entry}.js`])].sort()).toEqual(files.sort())
  })

  test('declares each class once, so that it is the same type in all entry points', () => {
    const classes = packed.files
      .filter((path) => path.endsWith('.d.ts'))
      .flatMap((path) =>
        Array.from(read(path).matchAll(/^declare (?:abstract )?class ([\w$]+)/gm), ([, name]) => name),
      )
    expect(classes).toContain('ProtocolError')
    expect(classes).toEqual([...new Set(classes)])
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
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
  })

  test('imports only its own files and modules of Node.js', () => {
    const built = packed.files.filter((path) => path.startsWith('dist/'))
    expect(built).not.toEqual([])
    for (const path of built) {
      for (const name of importsOf(read(path))) {
        if (name.startsWith('node:')) continue
        expect(name, path).toMatch(/^\.\.?\/.*\.c?js$/)
        expect(packed.files, `${path}: ${name}`).toContain(imported(path, name))
      }
    }
  })
})
