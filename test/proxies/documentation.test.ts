import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DEFAULT_INTERVAL } from '#src/connection/heartbeat.js'
import { Program } from '../support/program.js'
import { programPath, requires } from '../support/requirements.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { certificateLines } from './certificate-lines.js'
import { exampleFile } from './example-file.js'
import { checkSite } from './nginx.js'

const sites = readdirSync(new URL('../../examples/nginx/', import.meta.url))
/** The files that docs/deployment.md quotes, by the language of their blocks. */
const files: Readonly<Record<string, readonly string[]>> = {
  nginx: sites.map((site) => `nginx/${site}`),
  haproxy: ['haproxy/haproxy.cfg'],
  js: ['worker/server.js', 'unix-socket/server.js', 'vite/vite.config.js'],
}
const document = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8')
const blocks = Array.from(document.matchAll(/^```(\w+)\n(.*?)^```$/gms), ([, language, text]) => ({
  language: language!,
  text: text!,
}))

test('quotes each block of docs/deployment.md exactly from an example', () => {
  expect(blocks.length).toBeGreaterThan(6)
  const foreign = blocks.filter(
    ({ language, text }) => files[language]?.some((path) => exampleFile(path).includes(text)) !== true,
  )
  expect(foreign).toEqual([])
})

test.each([...files.nginx!, ...files.haproxy!, 'vite/vite.config.js'])(
  'quotes each line of %s in docs/deployment.md',
  (path) => {
    const lines = exampleFile(path)
      .split('\n')
      .filter((line) => !/^\s*(#|\/\/|$)/.test(line))
    expect(lines.length).toBeGreaterThan(10)
    const shown = new Set(blocks.flatMap(({ text }) => text.split('\n')))
    expect(lines.filter((line) => !shown.has(line))).toEqual([])
  },
)

test.each([...files.nginx!, ...files.haproxy!])('%s waits longer than the heartbeat', (path) => {
  const [, seconds] = /^ *(?:proxy_read_timeout|timeout tunnel) (\d+)s;?$/m.exec(exampleFile(path))!
  expect(Number(seconds) * 1000).toBeGreaterThan(DEFAULT_INTERVAL)
})

describe('nginx accepts as it stands', requires('nginx'), () => {
  test.each(sites)('%s', async (site) => {
    const folder = temporaryFolder()
    const lines = await checkSite(folder, site, site === 'tls.conf' ? certificateLines(folder).lines : {})
    expect(lines).toContainEqual(expect.stringMatching(/configuration file .* test is successful$/))
    expect(lines.filter((line) => line.includes('[warn]'))).toEqual([])
  })
})

test('haproxy accepts haproxy.cfg as it stands', requires('haproxy'), async () => {
  const file = join(temporaryFolder(), 'haproxy.cfg')
  writeFileSync(file, exampleFile('haproxy/haproxy.cfg'))
  const program = new Program(programPath('haproxy'), ['-c', '-f', file])
  expect(await program.exit).toMatchObject({ code: 0 })
  expect(program.lines).toEqual(['Configuration file is valid'])
})
