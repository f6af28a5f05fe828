// One of the processes that receive, with stub members: node worker.js PEER BROKER MEMBERS
import { say, serve, Sink } from './control.js'

const [peer, broker, members] = process.argv.slice(2)
const { join, textOf } = /** @type {import('./peer.js').Peer} */ (await import(`./${peer}.js`))
const sink = new Sink(textOf)
await join(broker ?? '', Number(members), sink)
serve((line) => sink.answer(line))
say('ready')
