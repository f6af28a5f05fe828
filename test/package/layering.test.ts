import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { importsOf } from '../support/imports.js'

const source = fileURLToPath(new URL('../../src/', import.meta.url))

/**
 * The house: what stands in each part of src/ may import from its own part and from those named here, types
 * included. Arrows run downwards only. The hub stands beside the server, and knows its members by an interface.
 */
const below: Record<string, string[]> = {
  options: [],
  protocol: ['options'],
  sending: ['protocol', 'options'],
  connection: ['sending', 'protocol', 'options'],
  client: ['connection', 'sending', 'protocol', 'options'],
  hub: ['sending', 'protocol', 'options'],
  websocket: ['hub', 'client', 'connection', 'sending', 'protocol', 'options'],
  server: ['websocket', 'hub', 'connection', 'sending', 'protocol', 'options'],
  'index.ts': ['server', 'websocket', 'hub', 'client', 'connection', 'sending', 'protocol', 'options'],
}

/**
 * src/protocol works on bytes: it may compute with Node's modules, but not speak to the outside through them.
 * `node:async_hooks` is among them because jobs for zlib's thread pool wait in a queue that connections share, and must
 * run in the async context of the connection that they came from.
 */
const allowedInProtocol = ['node:async_hooks', 'node:buffer', 'node:crypto', 'node:zlib']

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.replaceAll(sep, '/'))
  .sort()

const imports = new Map(files.map((file) => [file, importsOf(readFileSync(join(source, file), 'utf8'))]))

const partOf = (file: string): string => file.split('/')[0]!

/** The files of src/ that a file imports, by their paths in src/. */
const importedFiles = (file: string): string[] =>
  imports
    .get(file)!
    .filter((name) => name.startsWith('.'))
    .map((name) =>
      relative(source, join(source, dirname(file), name.replace(/\.js$/, '.ts'))).replaceAll(sep, '/'),
    )

/** The first circle met from a file downwards, as the path that leads back to its beginning. */
function findCircle(file: string, path: string[], done: Set<string>): string[] | undefined {
  if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
  if (done.has(file)) return undefined
  for (const imported of importedFiles(file)) {
    const circle = findCircle(imported, [...path, file], done)
    if (circle) return circle
  }
  done.add(file)
  return undefined
}

describe('the house', () => {
  test('each part of src/ is a known one', () => {
    expect([...new Set(files.map(partOf))].filter((part) => !(part in below))).toEqual([])
  })

  test.each(Object.keys(below))('%s imports from what stands below it only', (part) => {
    const mine = files.filter((file) => partOf(file) === part)
    const upward = mine.flatMap((file) =>
      importedFiles(file)
        .filter((imported) => partOf(imported) !== part && !below[part]!.includes(partOf(imported)))
        .map((imported) => `${file} imports ${imported}`),
    )
    expect(upward).toEqual([])
  })

  test('there is no circle of imports', () => {
    const done = new Set<string>()
    expect(files.map((file) => findCircle(file, [], done)).filter((circle) => circle !== undefined)).toEqual(
      [],
    )
  })

  test('every import is a file of src/ or a module of Node', () => {
    const known = new Set(files)
    const builtin = new Set(builtinModules.map((name) => `node:${name}`))
    const strangers = files.flatMap((file) => [
      ...importedFiles(file).filter((imported) => !known.has(imported)),
      ...imports.get(file)!.filter((name) => !name.startsWith('.') && !builtin.has(name)),
    ])
    expect(strangers).toEqual([])
  })

  test('src/protocol knows no sockets, timers or events', () => {
    const used = files
      .filter((file) => partOf(file) === 'protocol')
      .flatMap((file) => imports.get(file)!.filter((name) => name.startsWith('node:')))
    expect(used.filter((name) => !allowedInProtocol.includes(name))).toEqual([])
  })
})
