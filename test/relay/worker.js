// One of several processes: it joins members to groups, says when it is ready, counts what they get, and answers.
import { Hub } from 'hubwire'
import { relayOf } from './relay-of.js'

const [broker = '', members = '0', groups = '1'] = process.argv.slice(2)
const GROUPS = Number(groups)
const hub = new Hub({ relay: await relayOf(broker) })
/** @type {Map<string, string[]>[]} */
const received = []
/** @type {import('hubwire').Gap[]} */
const gaps = []
let count = 0
hub.on('gap', (gap) => {
  gaps.push(gap)
})

/**
 * @param {(text: string) => void} take
 * @returns {import('hubwire').Member}
 */
function memberThat(take) {
  return {
    readyState: 1,
    deliver(message) {
      take(message.payload.toString())
      return true
    },
    close() {
      // Nothing to close.
    },
    onceClosed() {
      // It stays.
    },
  }
}

for (let index = 0; index < Number(members); index++) {
  /** @type {Map<string, string[]>} */
  const mine = new Map()
  received.push(mine)
  for (const name of [`group ${index % GROUPS}`, `group ${(7 * index + 1) % GROUPS}`]) {
    /** @type {string[]} */
    const texts = []
    mine.set(name, texts)
    const member = memberThat((text) => {
      texts.push(text)
      count++
    })
    hub.group(name).add(member)
  }
}

await Promise.all([hub.ready, ...Array.from(hub.groups(), (group) => group.ready)])
process.send?.({ ready: true })

/** Reports when as much has come, or a gap has told that it will not. @param {number} expected */
async function report(expected) {
  while (count < expected && gaps.length === 0) await new Promise((resolve) => setImmediate(resolve))
  // Whatever is too much has come behind the answers of the others.
  await hub.nodes()
  process.send?.({ gaps, count, received: received.map((mine) => [...mine]) })
}

/** Does nothing else for some time. @param {number} milliseconds */
function block(milliseconds) {
  process.send?.({ blocking: true })
  // Not before the message has gone.
  setTimeout(() => {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
  }, 50)
}

process.on('message', (/** @type {{ expected?: number, block?: number, end?: true }} */ message) => {
  if (message.expected !== undefined) void report(message.expected)
  else if (message.block !== undefined) block(message.block)
  else void hub.close().then(() => process.disconnect())
})
