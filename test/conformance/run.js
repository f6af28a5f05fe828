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
const directions = positionals.filter((argument) => argument !== number)
const files = directions.length > 0 ? directions : ['server', 'client']

const vitest = await startVitest(
  'test',
  files.map((name) => `conformance/${name}.test.ts`),
  {
    run: true,
    project: ['conformance'],
    reporters: [
      number === undefined ? 'dot' : 'default',
      fileURLToPath(new URL('reporter.ts', import.meta.url)),
    ],
    ...(number !== undefined && { testNamePattern: `(^| )${number.replaceAll('.', '\\.')}[. ]` }),
  },
)
await vitest.close()
