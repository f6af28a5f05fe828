// npm run bench: measures hubwire and its peers, prints tables in Markdown and writes them to results/.
import { describeEnvironment, environmentLine } from './environment.js'
import { benchLoad } from './load/bench.js'
import { parseOptions, USAGE } from './options.js'

const options = parseOptions(process.argv.slice(2))
if (options === null) {
  console.log(USAGE)
} else {
  if (options.row === '' && (options.only.length === 0 || options.only.includes('micro'))) {
    // Imported only if needed, because it loads hubwire; the servers under load run in processes of their own.
    const { benchMicro, benchMicroOnNodes } = await import('./micro/bench.js')
    const environment = describeEnvironment(process.execPath)
    if (options.nodes) benchMicroOnNodes(options, environment)
    else await benchMicro(options, environment)
  }
  const environment = describeEnvironment(options.node)
  console.log(`${environmentLine(environment)}\n`)
  await benchLoad(options, environment)
}
