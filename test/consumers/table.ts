import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { versionOf } from './install.js'
import { ALWAYS, type Program, PROGRAMS } from './programs.js'

const document = fileURLToPath(new URL('../../docs/compatibility.md', import.meta.url))
const MARKS = ['<!-- consumers -->', '<!-- /consumers -->'] as const

/** The packages that a program tests, where its name is not that of the package. */
const PACKAGES: Record<string, string[]> = {
  fastify: ['@fastify/websocket', 'fastify'],
  hono: ['@hono/node-ws', 'hono'],
  mqtt: ['aedes', 'mqtt'],
  trpc: ['@trpc/server', '@trpc/client'],
}

/** The table of what programs test, with the versions that are installed. */
export function consumersTable(): string {
  const rows = PROGRAMS.map((program) => {
    const packages = PACKAGES[program.name] ?? [program.name]
    const versions = packages.map((one) => `${one} ${versionOf(one)}`).join(', ')
    const when = ALWAYS.includes(program.name) ? 'every change' : 'releases'
    return `| ${versions} | ${program.what} | ${onHubwire(program)} | ${when} |`
  })
  return [
    '| package | what is tested | with the classes of `hubwire` | when |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function onHubwire({ takesClasses, settings = 'unchanged' }: Program): string {
  return takesClasses ? settings : 'not supported'
}

/** The table in docs/compatibility.md. */
export function documentedTable(): string {
  return parts()[1]
}

/** Writes the table into docs/compatibility.md. */
export function documentTable(table: string): void {
  const [before, , after] = parts()
  writeFileSync(document, [before, MARKS[0], '\n\n', table, '\n\n', MARKS[1], after].join(''))
}

function parts(): [before: string, table: string, after: string] {
  const text = readFileSync(document, 'utf8')
  const [before = '', rest = ''] = text.split(MARKS[0])
  const [table = '', after = ''] = rest.split(MARKS[1])
  return [before, table.trim(), after]
}
