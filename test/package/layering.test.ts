import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { importsOf } from '../support/imports.js'

const source = fileURLToPath(new URL('../../src/', import.meta.url))

/**
 * The folders of src/: each may import from itself and from those listed here, types included. The hub does not import
 * the server: it knows its members by an interface. The relay is below the hub, which hands its messages to it.
 */
const below: Record<string, string[]> = {
  browser: [],
  events: [],
  'not-for-pages.ts': [],
  options: [],
  protocol: ['options'],
  sending: ['protocol', 'options'],
  connection: ['sending', 'protocol', 'options'],
  client: ['connection', 'sending', 'protocol', 'options'],
  relay: ['options'],
  testing: ['relay', 'options'],
  hub: ['relay', 'sending', 'protocol', 'options', 'events'],
  websocket: ['hub', 'client', 'connection', 'sending', 'protocol', 'options', 'events'],
  server: ['websocket', 'hub', 'connection', 'sending', 'protocol', 'options', 'events'],
  ws: ['server', 'websocket', 'client', 'connection', 'sending', 'protocol', 'options'],
  'index.ts': [
    'server',
    'websocket',
    'hub',
    'relay',
    'client',
    'connection',
    'sending',
    'protocol',
    'options',
  ],
}

/**
 * src/protocol does no I/O: it may use these modules of Node.js only.
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

/** The first import cycle found from a file on, as a path that ends where it began. */
function findCycle(file: string, path: string[], done: Set<string>): string[] | undefined {
  if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
  if (done.has(file)) return undefined
  for (const imported of importedFiles(file)) {
    const circle = findCycle(imported, [...path, file], done)
    if (circle) return circle
  }
  done.add(file)
  return undefined
}

describe('src/', () => {
  test('has only folders that are listed here', () => {
    expect([...new Set(files.map(partOf))].filter((part) => !(part in below))).toEqual([])
  })

  test.each(Object.keys(below))('%s imports only from the folders below it', (part) => {
    const mine = files.filter((file) => partOf(file) === part)
    const upward = mine.flatMap((file) =>
      importedFiles(file)
        .filter((imported) => partOf(imported) !== part && !below[part]!.includes(partOf(imported)))
        .map((imported) => `${file} imports ${imported}`),
    )
    expect(upward).toEqual([])
  })

  test('has no import cycle', () => {
    const done = new Set<string>()
    expect(files.map((file) => findCycle(file, [], done)).filter((circle) => circle !== undefined)).toEqual(
      [],
    )
  })

  test('imports only its own files and modules of Node.js', () => {
    const known = new Set(files)
    const builtin = new Set(builtinModules.map((name) => `node:${name}`))
    const unknown = files.flatMap((file) => [
      ...importedFiles(file).filter((imported) => !known.has(imported)),
      ...imports.get(file)!.filter((name) => !name.startsWith('.') && !builtin.has(name)),
    ])
    expect(unknown).toEqual([])
  })

  test('browser/ imports nothing but its own files', () => {
    const used = files.filter((file) => partOf(file) === 'browser').flatMap((file) => imports.get(file)!)
    expect(used).not.toEqual([])
    expect(used.filter((name) => !name.startsWith('./'))).toEqual([])
  })

  test('protocol/ uses no sockets, timers or events', () => {
    const used = files
      .filter((file) => partOf(file) === 'protocol')
      .flatMap((file) => imports.get(file)!.filter((name) => name.startsWith('node:')))
    expect(used.filter((name) => !allowedInProtocol.includes(name))).toEqual([])
  })
})
