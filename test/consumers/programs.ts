import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from './install.js'

/** A program that uses a package, and what its first lines say of it. */
export interface Program {
  readonly name: string
  readonly file: string
  /** What it tests. */
  readonly what: string
  /** Whether the application gives the package the classes to use, so that `hubwire` itself can be given. */
  readonly takesClasses: boolean
  /** What has to be set for `hubwire` itself. */
  readonly settings: string | undefined
}

/** Those that every change has to pass; `npm run full` runs all. */
export const ALWAYS: readonly string[] = ['fastify', 'graphql-ws', 'mqtt', 'socket.io', 'trpc']

/** All of them, by their names. */
export const PROGRAMS: readonly Program[] = readdirSync(join(folder, 'programs')).map(read)

function read(entry: string): Program {
  const file = join(folder, 'programs', entry)
  const text = readFileSync(file, 'utf8')
  return {
    name: entry.replace(/\.mjs$/, ''),
    file,
    what: /^\/\/ (.*?)\.?$/m.exec(text)![1]!,
    takesClasses: text.includes("from '#engine'"),
    settings: /^\/\/ hubwire: (.*?)\.?$/m.exec(text)?.[1],
  }
}
