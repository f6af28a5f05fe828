import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importsOf } from '../support/imports.js'
import { installPackedPackage, type PackedPackage } from '../support/packed-package.js'

let packed: PackedPackage

beforeAll(() => {
  packed = installPackedPackage()
})

afterAll(() => {
  packed.remove()
})

const read = (path: string): string => readFileSync(join(packed.folder, path), 'utf8')
const readJson = (path: string): Record<string, unknown> => JSON.parse(read(path)) as Record<string, unknown>

describe('the packed package', () => {
  test('depends on nothing', () => {
    const manifest = readJson('package.json')
    for (const field of ['dependencies', 'optionalDependencies', 'bundleDependencies', 'peerDependencies']) {
      expect(manifest[field] ?? {}, field).toEqual({})
    }
  })

  test('runs nothing when it is installed', () => {
    const { scripts } = readJson('package.json') as { scripts: Record<string, string> }
    const onInstallation = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare']
    expect(Object.keys(scripts).filter((name) => onInstallation.includes(name))).toEqual([])
    expect(packed.files).not.toContain('binding.gyp')
  })

  test('holds its documents, its sources, what was built from them, and nothing else', () => {
    const modules = packed.files
      .filter((path) => path.startsWith('src/'))
      .map((path) => path.replace(/^src\/(.*)\.ts$/, '$1'))
    expect(modules).toContain('index')
    expect(modules).toContain('protocol/index')
    const expected = [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'package.json',
      ...modules.flatMap((name) => [
        `src/${name}.ts`,
        ...['.js', '.js.map', '.d.ts', '.d.ts.map'].map((extension) => `dist/${name}${extension}`),
      ]),
    ]
    expect(packed.files).toEqual(expected.sort())
  })

  test('has the source that each map leads to', () => {
    const maps = packed.files.filter((path) => path.endsWith('.map'))
    expect(maps).not.toEqual([])
    for (const map of maps) {
      const { sources, sourceRoot } = readJson(map) as { sources: string[]; sourceRoot?: string }
      for (const source of sources) {
        expect(existsSync(join(packed.folder, dirname(map), sourceRoot ?? '', source)), map).toBe(true)
      }
    }
  })

  test('imports nothing but its own files and modules of Node', () => {
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
