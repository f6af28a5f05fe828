import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { turn } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'

const GROUPS = Math.min(100_000, runs(5000))
/** Less than may be unanswered: one broker message for each group. */
const PER_TURN = 1000

function hubAt(path: string): Hub {
  const hub = new Hub({ relay: redisRelay(createClient({ socket: { path, tls: false } })) })
  onTestFinished(() => hub.close())
  return hub
}

async function publishToAll(hub: Hub, text: string): Promise<void> {
  for (let start = 0; start < GROUPS; start += PER_TURN) {
    const results = Array.from({ length: PER_TURN }, (_, index) =>
      hub.publish(`group ${start + index}`, text),
    )
    expect((await Promise.all(results)).every(({ relayed }) => relayed)).toBe(true)
  }
}

test(
  `${GROUPS} groups with one member each become ready, and all receive messages after a reconnection`,
  requires('redis-server'),
  async ({ annotate }) => {
    const server = await RedisServer.start()
    const [one, other] = [hubAt(server.path), hubAt(server.path)]
    await Promise.all([one.ready, other.ready])
    const members = Array.from({ length: GROUPS }, () => new FakeMember())
    let start = performance.now()
    const lap = async (what: string): Promise<void> => {
      const now = performance.now()
      await annotate(`${GROUPS} groups: ${what} in ${Math.round(now - start)} ms`)
      start = performance.now()
    }
    for (const [index, member] of members.entries()) other.group(`group ${index}`).add(member)
    await Promise.all(Array.from(other.groups(), (group) => group.ready))
    await lap('subscribed')
    const all = async (count: number): Promise<void> => {
      while (members.some(({ delivered }) => delivered.length < count)) await turn()
    }
    await publishToAll(one, 'before')
    await all(1)
    await lap('published to and received')
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    while (other.stats().relay!.connected) await turn()
    start = performance.now()
    await Promise.all(Array.from(other.groups(), (group) => group.ready))
    await lap('restored')
    while (!one.stats().relay!.connected) await turn()
    await publishToAll(one, 'after')
    await all(2)
    expect(members.every(({ delivered }) => delivered.join() === 'before,after')).toBe(true)
    expect(other.stats()).toMatchObject({ groups: GROUPS, relay: { gaps: 0 } })
  },
)
