import { Hub, type Relay } from 'hubwire'
import { natsRelay } from 'hubwire/nats'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NatsServer } from '../support/nats-server.js'
import { RedisServer } from '../support/redis-server.js'
import { RelayWorker } from '../support/relay-worker.js'
import { type Requirement, requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'

const MEMBERS = 100
const MOVERS = 20
const GROUPS = 200
const MESSAGES = runs(2000)
const BATCH = 200

interface Broker {
  /** Its name for a worker. */
  readonly name: string
  readonly relay: Relay
}

const brokers: [Requirement, () => Promise<Broker>][] = [
  [
    'redis-server',
    async () => {
      const { path } = await RedisServer.start()
      return { name: path, relay: redisRelay(createClient({ socket: { path, tls: false } })) }
    },
  ],
  [
    'nats-server',
    async () => {
      const server = await NatsServer.start()
      return { name: `nats:${server.port}`, relay: natsRelay(await server.connect()) }
    },
  ],
]

describe.each(brokers)('three processes on %s', (program, start) => {
  test(
    'give each member each message of its groups exactly once and in order, also those that move',
    { timeout: runs(60_000), ...requires(program) },
    async () => {
      const { name: broker, relay } = await start()
      const settings = { members: MEMBERS, groups: GROUPS, movers: MOVERS }
      const workers = [1, 2, 3].map(() => new RelayWorker(broker, settings))
      expect(await Promise.all(workers.map((worker) => worker.message()))).toEqual(
        workers.map(() => ({ ready: true })),
      )
      const hub = new Hub({ relay })
      onTestFinished(() => hub.close())
      await hub.ready
      const published = new Map<string, string[]>()
      for (let start = 0; start < MESSAGES; start += BATCH) {
        const results = Array.from({ length: BATCH }, (_, index) => {
          const name = `group ${(13 * (start + index)) % GROUPS}`
          const text = `${name}: ${start + index}`
          published.set(name, [...(published.get(name) ?? []), text])
          return hub.publish(name, text)
        })
        expect((await Promise.all(results)).every(({ relayed }) => relayed)).toBe(true)
      }
      const expected = (2 * MEMBERS * MESSAGES) / GROUPS
      const reports = await Promise.all(workers.map((worker) => worker.report(expected)))
      for (const { gaps, count, received, stays } of reports) {
        expect({ gaps, count }).toEqual({ gaps: [], count: expected })
        for (const member of received) {
          for (const [group, texts] of member) expect(texts).toEqual(published.get(group))
        }
        // From its first message in a group to its last one there, a member that moves misses none.
        for (const { group, texts } of stays) {
          const all = published.get(group) ?? []
          const from = texts.length === 0 ? 0 : all.indexOf(texts[0]!)
          expect(texts).toEqual(all.slice(from, from + texts.length))
        }
        expect(stays.filter(({ texts }) => texts.length > 0).length).toBeGreaterThan(MOVERS)
      }
      await Promise.all(workers.map((worker) => worker.end()))
    },
  )
})
