import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { programPath, requires } from '../support/requirements.js'
import { manifestOf, placesOfWs } from './install.js'
import { ALWAYS, type Program, PROGRAMS } from './programs.js'
import { consumersTable, documentedTable, documentTable } from './table.js'

// Packages that were written for `ws`, with their own clients, on packages/ws as it is packed.

const run = promisify(execFile)

const isComplete = process.env.HUBWIRE_CONSUMERS === 'all'
const chosen = PROGRAMS.filter(({ name }) => isComplete || ALWAYS.includes(name))
/** They drive a browser. */
const WITH_CHROMIUM = ['puppeteer-core', 'webpack-dev-server']

const passed: string[] = []

/** Prettier aligns the columns. */
function withoutSpaces(table: string): string {
  return table.replace(/ +|-{3,}/g, ' ')
}

/** The program ends by itself, and a failed assertion is its exit code. It says nothing unless something is wrong. */
async function runs({ name, file }: Program, ...options: string[]): Promise<void> {
  const needsChromium = WITH_CHROMIUM.includes(name)
  const env = { ...process.env, ...(needsChromium ? { CHROMIUM: programPath('chromium') } : {}) }
  const { stdout, stderr } = await run(process.execPath, [...options, file], { timeout: 60_000, env })
  expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' })
}

describe('a consumer of ws, on hubwire', () => {
  test('uses no ws but ours', () => {
    const names = placesOfWs().map((place) => manifestOf(place).name)
    expect(names.length).toBeGreaterThan(0)
    expect(new Set(names)).toEqual(new Set(['hubwire-ws']))
  })

  describe.each(chosen)('$name', (program) => {
    const needs = WITH_CHROMIUM.includes(program.name) ? requires('chromium') : {}

    test('works with its own client', needs, async () => {
      await runs(program)
      passed.push(program.name)
    })
  })

  test.each(chosen.filter(({ takesClasses }) => takesClasses))(
    '$name works with the classes of hubwire itself',
    async (program) => {
      await runs(program, '--conditions=hubwire')
    },
  )

  test('is in the table of docs/compatibility.md with the version that is tested', () => {
    expect(passed).toEqual(chosen.map(({ name }) => name))
    const table = consumersTable()
    if (isComplete) documentTable(table)
    expect(withoutSpaces(documentedTable())).toBe(withoutSpaces(table))
  })
})
