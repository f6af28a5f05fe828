/**
 * `npm run conformance`: the cases of test/conformance alone, with a table of the outcomes at the end. After `--`:
 * `--full` sends everything that the published list asks for, `server` or `client` runs one direction, and a number
 * such as `6.4` the cases that begin with it.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startVitest } from 'vitest/node'

const { values, positionals } = parseArgs({ options: { full: { type: 'boolean' } }, allowPositionals: true })
if (values.full) process.env.CONFORMANCE_FULL = '1'

const number = positionals.find((argument) => /^[\d.]+$/.test(argument))
if (number !== undefined) process.env.CONFORMANCE_ONLY = number
const directions = positionals.filter((argument) => argument !== number)
const files = directions.length > 0 ? directions : ['server', 'client']

const vitest = await startVitest(
  'test',
  files.map((name) => `conformance/${name}.test.ts`),
  {
    run: true,
    project: ['conformance'],
    reporters: ['dot', fileURLToPath(new URL('reporter.ts', import.meta.url))],
  },
)
await vitest.close()
