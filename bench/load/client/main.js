// The load client: carries out one task (task.js) and writes one line of JSON to the standard output.
import { consumer } from './consumer.js'
import { delay } from './delay.js'
import { echo } from './echo.js'
import { fanOut } from './fan-out.js'
import { handshakes } from './handshakes.js'
import { idle } from './idle.js'
import { paced } from './paced.js'
import { publish, reconnect } from './storm.js'
import { parseTask } from './task.js'

/** @param {import('./task.js').Task} task */
function perform(task) {
  switch (task.kind) {
    case 'echo':
      return echo(task)
    case 'fan-out':
      return fanOut(task)
    case 'handshakes':
      return handshakes(task)
    case 'idle':
      return idle(task)
    case 'paced':
      return paced(task)
    case 'publish':
      return publish(task)
    case 'reconnect':
      return reconnect(task)
    case 'consumer':
      return consumer(task)
    case 'churn':
    case 'flood':
    case 'stream':
      return delay(task)
  }
}

const task = parseTask(process.argv[2])
process.stdout.write(`${JSON.stringify(await perform(task))}\n`)
if (task.kind === 'idle' || task.kind === 'reconnect') process.stdin.resume().on('end', () => process.exit())
else process.exit()
