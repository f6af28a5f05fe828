// The process that publishes: node publisher.js PEER BROKER
import { setImmediate, setTimeout } from 'node:timers/promises'
import { messageOf, now, say, serve } from './control.js'

/** Turns whose messages the broker has not answered. */
const MAX_TURNS = 32

const [peer, broker] = process.argv.slice(2)
const { connectPublisher } = /** @type {import('./peer.js').Peer} */ (await import(`./${peer}.js`))
const publish = await connectPublisher(broker ?? '')

/**
 * Publishes turns of messages until as many have gone, or the time is over.
 *
 * @param {import('./peer.js').Burst} burst
 */
async function run({ messages, perTurn, bytes, milliseconds, pause }) {
  const started = now()
  let published = 0
  let unanswered = 0
  while (published < messages && now() - started < milliseconds * 1000) {
    const texts = Array.from({ length: perTurn }, () => messageOf(bytes))
    published += perTurn
    unanswered++
    void publish(texts).finally(() => unanswered--)
    await (pause > 0 ? setTimeout(pause) : setImmediate())
    while (unanswered >= MAX_TURNS) await setImmediate()
  }
  while (unanswered > 0) await setImmediate()
  return { published, started }
}

serve((line) => run(/** @type {import('./peer.js').Burst} */ (JSON.parse(line))))
say('ready')
