import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { RedisServer } from '../support/redis-server.js'
import { RelayWorker } from '../support/relay-worker.js'
import { requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'

const MEMBERS = 100
const MOVERS = 20
const GROUPS = 200
const MESSAGES = runs(2000)
const BATCH = 200

test(
  'three processes: each member gets each message of its groups exactly once and in order, those that move too',
  { timeout: runs(60_000), ...requires('redis-server') },
  async () => {
    const { path } = await RedisServer.start()
    const settings = { members: MEMBERS, groups: GROUPS, movers: MOVERS }
    const workers = [1, 2, 3].map(() => new RelayWorker(path, settings))
    expect(await Promise.all(workers.map((worker) => worker.message()))).toEqual(
      workers.map(() => ({ ready: true })),
    )
    const hub = new Hub({ relay: redisRelay(createClient({ socket: { path, tls: false } })) })
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
