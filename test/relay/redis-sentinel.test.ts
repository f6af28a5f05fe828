import { setTimeout } from 'node:timers/promises'
import { type Gap, Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { relayChecks } from 'hubwire/testing'
import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { type ClientName, redisClients } from '../support/redis-clients.js'
import { MASTER_NAME, RedisSentinels } from '../support/redis-sentinels.js'
import { requires } from '../support/requirements.js'

const names: ClientName[] = ['redis', 'ioredis']

/** A hub, and the gaps that it told of. */
class Node {
  readonly hub: Hub
  readonly gaps: Gap[] = []

  constructor(set: RedisSentinels, name: ClientName) {
    const options = { prefix: 'chat:', heartbeatInterval: 200 }
    this.hub = new Hub({ relay: redisRelay(redisClients[name].sentinel(set.sentinelPort), options) })
    this.hub.on('gap', (gap) => this.gaps.push(gap))
    onTestFinished(() => this.hub.close())
  }

  get isConnected(): boolean {
    return this.hub.stats().relay!.connected
  }

  /** NaN when it is not known of one. */
  get missed(): number {
    return this.gaps.reduce((sum, { missed = NaN }) => sum + missed, 0)
  }
}

/** Two hubs, and a member of the second in the group `news`. */
async function pair(
  set: RedisSentinels,
  name: ClientName,
): Promise<[one: Node, other: Node, member: FakeMember]> {
  const [one, other] = [new Node(set, name), new Node(set, name)]
  const member = new FakeMember()
  const group = other.hub.group('news').add(member)
  await Promise.all([one.hub.ready, other.hub.ready, group.ready])
  return [one, other, member]
}

describe.each(names)('a relay through Redis with Sentinel, with %s', requires('redis-server'), (name) => {
  test('meets the requirements of a hub before and after a failover', async () => {
    const set = await RedisSentinels.start()
    const client = redisClients[name].sentinel(set.sentinelPort)
    const runAll = async (): Promise<void> => {
      for (const { run } of relayChecks(() => redisRelay(client))) await run()
    }
    await runAll()
    await set.servers[0]!.kill()
    await set.promoted(1)
    await runAll()
  })

  test('reports a gap when the master is killed, and moves to the new master, and back to the old one', async () => {
    const set = await RedisSentinels.start()
    const [one, other, member] = await pair(set, name)
    expect(await one.hub.publish('news', 'before')).toMatchObject({ relayed: true })
    await until(() => member.delivered.length === 1)
    await set.servers[0]!.kill()
    await until(() => !one.isConnected && !other.isConnected)
    expect(await one.hub.publish('news', 'lost')).toMatchObject({ relayed: false })
    await until(() => one.isConnected && other.isConnected && other.gaps.length > 0)
    expect(other.gaps).toEqual([{ cause: 'connection', groups: ['news'], node: undefined, missed: 1 }])
    expect(await one.hub.publish('news', 'after')).toMatchObject({ relayed: true })
    await until(() => member.delivered.length === 2)
    await set.promoted(1)
    await set.restart(0)
    // The master lives on: the sentinels tell of the new one.
    let count = 0
    const publish = (): Promise<unknown> => one.hub.publish('news', String(count++))
    const lost = Promise.all([one, other].map((node) => until(() => !node.isConnected)))
    await Promise.all([set.failover(0), lost])
    // What is relayed may be lost all the same, until both know the new master: then it is counted.
    while (member.delivered.at(-1) !== String(count - 1)) {
      await publish()
      await setTimeout(50)
    }
    // A node that comes back late cannot say how many there were.
    await until(() => Number.isNaN(other.missed) || member.delivered.length + other.missed === 3 + count)
    expect(member.delivered.slice(0, 2)).toEqual(['before', 'after'])
    const numbers = member.delivered.slice(2).map(Number)
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    for (const { groups } of other.gaps) expect(groups).toEqual(['news'])
    expect(await set.servers[0]!.command('PUBSUB', 'CHANNELS', 'chat:node*')).toHaveLength(3)
  })

  test('rejects ready with a remedy if the master refuses the password', async () => {
    const { sentinelPort: port } = await RedisSentinels.start()
    const credentials = { username: 'nobody', password: 'wrong' }
    const sentinels = [{ host: '127.0.0.1', port }]
    const client =
      name === 'redis'
        ? createSentinel({ name: MASTER_NAME, sentinelRootNodes: sentinels, nodeClientOptions: credentials })
        : new Redis({ name: MASTER_NAME, sentinels, lazyConnect: true, ...credentials })
    const hub = new Hub({ relay: redisRelay(client) })
    onTestFinished(() => hub.close())
    await expect(hub.ready).rejects.toThrow(/Redis refuses the relay.*password/)
  })

  test('keeps ready pending without sentinels, and rejects it on close()', async () => {
    const hub = new Hub({ relay: redisRelay(redisClients[name].sentinel(1)) })
    const { ready } = hub
    await turn()
    expect(await hub.publish('news', 'alone')).toMatchObject({ relayed: false })
    await hub.close()
    await expect(ready).rejects.toThrow('The hub was closed')
  })
})
