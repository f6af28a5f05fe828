import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { folder, installConsumers, versionOf } from './install.js'
import { consumersTable, documentedTable, documentTable } from './table.js'

// Packages that were written for `ws`, with their own clients, on packages/ws as it is packed.

const run = promisify(execFile)

/** Those that every change has to pass; `npm run full` runs all. */
const ALWAYS = ['fastify', 'graphql-ws', 'mqtt', 'socket.io', 'trpc']

const all = readdirSync(join(folder, 'programs')).map((file) => file.replace(/\.mjs$/, ''))
const isComplete = process.env.HUBWIRE_CONSUMERS === 'all'
const chosen = isComplete ? all : ALWAYS

const passed: string[] = []

/** Prettier aligns the columns. */
function withoutSpaces(table: string): string {
  return table.replace(/ +|-{3,}/g, ' ')
}

beforeAll(() => {
  expect(installConsumers()).toBeGreaterThan(0)
}, 300_000)

describe('a consumer of ws, on hubwire', () => {
  test('has no other ws than ours', () => {
    expect(versionOf('ws')).toBe('0.1.0')
  })

  test.each(chosen)('%s works with its own client', async (name) => {
    // The program ends by itself, and a failed assertion is its exit code. It says nothing unless something is wrong.
    const { stdout, stderr } = await run(process.execPath, [join(folder, 'programs', `${name}.mjs`)], {
      timeout: 60_000,
    })
    expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' })
    passed.push(name)
  })

  test('is in the table of docs/compatibility.md with the version that is tested', () => {
    expect(passed).toEqual(chosen)
    const table = consumersTable(all, ALWAYS)
    if (isComplete) documentTable(table)
    expect(withoutSpaces(documentedTable())).toBe(withoutSpaces(table))
  })
})
