// A process with two threads: each joins a member to a group, publishes to it, and tells what its member got.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, threadId, Worker } from 'node:worker_threads'
import { Hub } from 'hubwire'
import { clusterRelay } from 'hubwire/cluster'

const THREADS = 2
const EXPECTED = THREADS + 1
const hub = new Hub({ relay: clusterRelay({ heartbeatInterval: 50 }) })
/** @type {string[]} */
const texts = []
/** @type {() => void} */
let wake = () => undefined
hub.group('news').add({
  readyState: 1,
  deliver(message) {
    texts.push(message.payload.toString())
    wake()
    return true
  },
  close() {
    // Nothing to close.
  },
  onceClosed() {
    // It stays.
  },
})

/** Resolves when the member has got a message from each hub. */
async function all() {
  while (texts.length < EXPECTED)
    await new Promise((/** @type {(value: void) => void} */ resolve) => (wake = resolve))
}

if (isMainThread) {
  const threads = Array.from({ length: THREADS }, () => new Worker(fileURLToPath(import.meta.url)))
  // All are awaited from the beginning: what a thread says or does meanwhile must not be missed.
  const ready = threads.map((thread) => nextOf(thread, 'ready'))
  const received = threads.map((thread) => nextOf(thread, 'texts'))
  const ended = threads.map((thread) => once(thread, 'exit'))
  await Promise.all([hub.ready, hub.group('news').ready, ...ready])
  for (const thread of threads) thread.postMessage('publish')
  await hub.publish('news', 'main')
  const results = await Promise.all(received)
  await all()
  process.send?.({ main: texts.toSorted(), threads: results.map(({ texts }) => texts.toSorted()) })
  await Promise.all(ended)
  await hub.close()
  process.disconnect()
} else {
  await Promise.all([hub.ready, hub.group('news').ready])
  parentPort?.postMessage({ ready: true })
  await once(/** @type {import('node:worker_threads').MessagePort} */ (parentPort), 'message')
  await hub.publish('news', `thread ${threadId}`)
  await all()
  parentPort?.postMessage({ texts })
  await hub.close()
}

/** @param {Worker} thread @param {string} property */
async function nextOf(thread, property) {
  for (;;) {
    const [message] = await once(thread, 'message')
    if (property in message) return message
  }
}
