// A client of another library in a separate process, so that a test can stop the process. It prints what happens to
// it, one line each, and exits with its connection.
import { WebSocket } from 'ws'

/** @param {string} line */
const say = (line) => process.stdout.write(`${line}\n`)

new WebSocket(process.argv[2] ?? '')
  .on('open', () => say('open'))
  .on('ping', () => say('ping'))
  .on('message', (data, isBinary) =>
    say(`message ${isBinary || !(data instanceof Buffer) ? '(binary)' : data.toString()}`),
  )
  .on('error', (error) => say(`error ${error.message}`))
  .on('close', (code) => say(`close ${code}`))
