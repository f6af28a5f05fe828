import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { DEFAULT_INTERVAL, DEFAULT_TIMEOUT } from '#src/connection/heartbeat.js'
import {
  DEFAULT_CONTROL_FRAME_RATE,
  DEFAULT_HANDSHAKE_TIMEOUT,
  DEFAULT_MAX_BUFFERED_AMOUNT,
} from '#src/connection/settings.js'
import { DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_PAYLOAD } from '#src/protocol/decoder.js'

const root = new URL('../../', import.meta.url)
const document = readFileSync(new URL('docs/production.md', root), 'utf8')

/** The lines of a text without their indentation, because quoted blocks of functions are not indented. */
const linesOf = (text: string): string => `\n${text.trim().replaceAll(/[^\S\n]*\n[^\S\n]*/g, '\n')}\n`

const operations = readFileSync(new URL('docs/operations.md', root), 'utf8')

const blocksIn = (text: string, language: string): string[] =>
  Array.from(text.matchAll(new RegExp(`^\`\`\`${language}.*\\n([^]*?)^\`\`\`$`, 'gm')), ([, block]) => block!)
const blocks = blocksIn(document, '\\w')

/** The files of the example programs that have a test. */
const files = readdirSync(new URL('examples/', root), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.js'))
  .filter((path) => existsSync(new URL(`test/examples/${path.split(/[/\\]/)[0]!}.test.ts`, root)))
  .map((path) => ({ path, text: linesOf(readFileSync(new URL(`examples/${path}`, root), 'utf8')) }))

test('quotes each block of docs/production.md exactly from an example that a test runs', () => {
  expect(blocks.length).toBeGreaterThan(10)
  const foreign = blocks.filter((text) => !files.some((file) => file.text.includes(linesOf(text))))
  expect(foreign).toEqual([])
})

test('quotes each js block of docs/operations.md exactly from an example that a test runs', () => {
  const quoted = blocksIn(operations, 'js')
  expect(quoted.length).toBeGreaterThan(2)
  expect(quoted.filter((text) => !files.some((file) => file.text.includes(linesOf(text))))).toEqual([])
})

test('states the defaults of the code', () => {
  const mebibytes = (bytes: number): string => `${bytes / 1024 / 1024} MiB`
  const seconds = (milliseconds: number): string => `${milliseconds / 1000} s`
  const { perSecond, burst = perSecond } = DEFAULT_CONTROL_FRAME_RATE
  const named = [
    `silent for ${seconds(DEFAULT_INTERVAL)}, and terminates the connection if the peer is silent for another ${seconds(DEFAULT_TIMEOUT)}`,
    `A message has at most ${mebibytes(DEFAULT_MAX_PAYLOAD)} and ${DEFAULT_MAX_FRAGMENTS.toLocaleString('en')} frames`,
    `a handshake may take ${seconds(DEFAULT_HANDSHAKE_TIMEOUT)}`,
    `${burst.toLocaleString('en')} Pings and Pongs at once and ${perSecond} a second`,
    `up to \`maxBufferedAmount\`, ${mebibytes(DEFAULT_MAX_BUFFERED_AMOUNT)}`,
  ]
  const words = document.replaceAll(/\s+/g, ' ')
  expect(named.filter((each) => !words.includes(each))).toEqual([])
})

test('has a block in each section, or a link to deployment.md', () => {
  const sections = document.split(/^## /m).slice(1)
  expect(sections.map((section) => section.split('\n')[0])).toEqual([
    'Authentication',
    'Heartbeats',
    'Limits',
    'Backpressure',
    'Failing handlers',
    'Shutdown',
    'Proxies',
    'Monitoring',
  ])
  const bare = sections.filter((section) => !section.includes('```') && !section.includes('](deployment.md)'))
  expect(bare).toEqual([])
})

test.each([
  ['production.md', document],
  ['operations.md', operations],
])('docs/%s links to files and headings that exist', (name, text) => {
  const links = Array.from(text.matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g), ([, path, heading]) => ({
    path: path!,
    heading,
  }))
  expect(links.length).toBeGreaterThan(10)
  const broken = links.filter(({ path, heading }) => {
    const target = new URL(path === '' ? name : path, new URL('docs/', root))
    if (!existsSync(target)) return true
    return heading !== undefined && !headingsOf(readFileSync(target, 'utf8')).includes(heading)
  })
  expect(broken).toEqual([])
})

function headingsOf(text: string): string[] {
  return Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    // As GitHub makes the anchor of a heading.
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
}
