import { setTimeout } from 'node:timers/promises'
import { parseJson } from '../json.js'
import { Child } from '../load/child.js'
import { processorTime } from '../load/processor-time.js'
import { startBroker } from './brokers.js'
import { now } from './control.js'

export const WORKERS = 3

/** What is published before the workers have got it: less than a relay may hold. */
const MAX_BURST = 20_000
const MAX_BURST_BYTES = 8 * 2 ** 20
const BURST_MILLISECONDS = 500
/** Milliseconds without a message after which what is missing counts as lost. */
const PATIENCE = 1000

/**
 * @typedef {object} Row
 * @property {string} title
 * @property {number} perTurn messages that are published in a turn
 * @property {number} bytes of a message
 * @property {number} members at each worker
 * @property {boolean} isReal whether they are clients of the workers
 */

/**
 * @typedef {object} Sample
 * @property {number} perSecond messages
 * @property {number} delivery processor time of the workers for each delivery, in µs
 * @property {number} publish processor time of the publisher for each message, in µs
 * @property {number} broker processor time of the broker for each message, in µs
 * @property {number} lost share of the deliveries
 * @property {number | null} p50 µs from publish to receive, at one message each 10 ms
 * @property {number | null} p99
 */

/** The processes of one measurement. */
class Setup {
  /** @type {Child[]} */
  workers = []
  /** Those that count: the workers themselves, or the clients. @type {Child[]} */
  receivers = []
  /** @type {Child} */
  publisher

  /**
   * @param {import('./contenders.js').Contender} contender
   * @param {Row} row
   * @param {import('./brokers.js').RunningBroker} broker
   */
  constructor({ worker, publisher, site }, { members, isReal }, broker) {
    const { address, environment } = broker
    const start = (/** @type {string[]} */ command) => new Child(command, environment)
    const indexes = Array.from({ length: WORKERS }, (_, index) => index)
    if (isReal && site !== undefined) {
      const sockets = indexes.map((index) => broker.socket(index))
      this.workers = sockets.map((socket) => start(site.worker(address, socket)))
      const client = [process.execPath, new URL('client.js', import.meta.url).pathname]
      this.receivers = [new Child([...client, site.protocol, String(members), ...sockets])]
    } else {
      this.workers = indexes.map(() => start(worker(address, members)))
      this.receivers = this.workers
    }
    this.publisher = start(publisher(address))
  }

  get all() {
    return [...new Set([...this.workers, ...this.receivers, this.publisher])]
  }

  async ready() {
    await Promise.all([...this.receivers, this.publisher].map((child) => child.line()))
  }

  /** @param {string} line @returns {Promise<{ received: number, delays: number[] }>} */
  async ask(line) {
    const answers = await Promise.all(
      this.receivers.map(async (child) => {
        child.write(line)
        return /** @type {{ received: number, delays?: number[] }} */ (parseJson(await child.line()))
      }),
    )
    return {
      received: answers.reduce((sum, { received }) => sum + received, 0),
      delays: answers.flatMap(({ delays }) => delays ?? []),
    }
  }

  /** @param {import('./peer.js').Burst} burst */
  async publish(burst) {
    this.publisher.write(JSON.stringify(burst))
    return /** @type {{ published: number, started: number }} */ (parseJson(await this.publisher.line()))
  }

  /** Waits until as much has been received, or nothing more comes. @param {number} expected */
  async received(expected) {
    let { received } = await this.ask('report')
    let last = now()
    while (received < expected && now() - last < PATIENCE * 1000) {
      await setTimeout(10)
      const report = await this.ask('report')
      if (report.received > received) last = now()
      received = report.received
    }
    return { received, last }
  }
}

/**
 * Measures one row with the processes of one contender.
 *
 * @param {import('./contenders.js').Contender} contender
 * @param {Row} row
 * @param {number} seconds
 * @returns {Promise<Sample>}
 */
export async function measure(contender, row, seconds) {
  const broker = await startBroker(contender.broker)
  const setup = new Setup(contender, row, broker)
  try {
    await setup.ready()
    await bursts(setup, row, seconds / 3, broker)
    const sample = await bursts(setup, row, seconds, broker)
    return { ...sample, ...(await delays(setup, row, seconds)) }
  } catch (error) {
    const complaint = setup.all.map((child) => child.complaint).find((text) => text !== '')
    throw complaint === undefined ? error : new Error(complaint, { cause: error })
  } finally {
    await Promise.all(setup.all.map((child) => child.end()))
    await broker.end()
  }
}

/**
 * Publishes as fast as the broker takes it, in bursts that the workers must have received before the next.
 *
 * @param {Setup} setup
 * @param {Row} row
 * @param {number} seconds
 * @param {import('./brokers.js').RunningBroker} broker
 */
async function bursts(setup, { perTurn, bytes, members }, seconds, broker) {
  const messages = Math.min(MAX_BURST, Math.floor(MAX_BURST_BYTES / bytes))
  const burst = { messages, perTurn, bytes, milliseconds: BURST_MILLISECONDS, pause: 0 }
  const timeOf = (/** @type {number[]} */ pids) =>
    pids.reduce((sum, pid) => sum + (processorTime(pid) ?? NaN), 0)
  const times = () => [
    timeOf(setup.workers.map(({ pid }) => pid)),
    timeOf([setup.publisher.pid]),
    timeOf(broker.pids),
  ]
  const before = times()
  let [busy, published, delivered] = [0, 0, 0]
  while (busy < seconds * 1e6) {
    await setup.ask('reset')
    const sent = await setup.publish(burst)
    const { received, last } = await setup.received(sent.published * members * WORKERS)
    busy += last - sent.started
    published += sent.published
    delivered += received
  }
  const after = times()
  const [workers = 0, publisher = 0, relaying = 0] = after.map((value, index) => value - (before[index] ?? 0))
  return {
    perSecond: (published * 1e6) / busy,
    delivery: workers / delivered,
    publish: publisher / published,
    broker: relaying / published,
    lost: 1 - delivered / (published * members * WORKERS),
  }
}

/**
 * The time from publish to receive while nothing waits: one message each 10 ms.
 *
 * @param {Setup} setup
 * @param {Row} row
 * @param {number} seconds
 */
async function delays(setup, { bytes, members }, seconds) {
  await setup.ask('measure')
  const messages = Math.ceil(seconds) * 100
  const { published } = await setup.publish({
    ...{ messages, perTurn: 1, bytes, milliseconds: 2000 * Math.ceil(seconds), pause: 10 },
  })
  await setup.received(published * members * WORKERS)
  const sorted = Float64Array.from((await setup.ask('report')).delays).sort()
  const at = (/** @type {number} */ share) => sorted[Math.floor(share * (sorted.length - 1))] ?? null
  return { p50: at(0.5), p99: at(0.99) }
}
