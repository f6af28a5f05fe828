// npm run bench: what hubwire and its peers cost, in tables of Markdown and in results/*.json.
import { describeEnvironment, environmentLine } from './environment.js'
import { benchLoad } from './load/bench.js'
import { parseOptions, USAGE } from './options.js'

const options = parseOptions(process.argv.slice(2))
if (options === null) {
  console.log(USAGE)
} else {
  const environment = describeEnvironment()
  console.log(`${environmentLine(environment)}\n`)
  if (options.row === '' && (options.only.length === 0 || options.only.includes('micro'))) {
    // It loads hubwire itself; the servers of the load run in processes of their own.
    const { benchMicro } = await import('./micro/bench.js')
    await benchMicro(options, environment)
  }
  await benchLoad(options, environment)
}
