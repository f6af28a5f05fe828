// One of several processes: it adds members to groups with presence, removes them, and lists who is present.
import { Hub } from 'hubwire'
import { relayOf } from './relay-of.js'

const [broker = '', name = '', members = '1'] = process.argv.slice(2)
const hub = new Hub({ relay: await relayOf(broker, 100) })
/** @type {(() => void)[]} */
const closing = []

/** @param {unknown} data */
function add(data) {
  const member = {
    readyState: 1,
    deliver: () => true,
    close: () => undefined,
    onceClosed(/** @type {() => void} */ listener) {
      closing.push(listener)
    },
  }
  hub.group('news').add(member, { presence: /** @type {object} */ (data) })
}

for (let index = 0; index < Number(members); index++) add(`${name} ${index}`)
await Promise.all([hub.ready, hub.group('news').ready])
process.send?.({ ready: true })

/** @type {Record<string, (value: any) => unknown>} */
const commands = {
  add,
  close(/** @type {number} */ count) {
    for (const close of closing.splice(0, count)) close()
  },
  list: () => hub.group('news').members(),
  async end() {
    await hub.close()
    setImmediate(() => process.disconnect())
  },
}

process.on('message', (/** @type {{ command: string, value: unknown }} */ { command, value }) => {
  void Promise.resolve(commands[command]?.(value)).then((result) => {
    process.send?.({ result: result ?? null })
  })
})
