import { setTimeout } from 'node:timers/promises'
import { type Gap, Hub } from 'hubwire'
import { type RedisClusterClient, redisRelay, type RedisRelayOptions } from 'hubwire/redis'
import { relayChecks } from 'hubwire/testing'
import { Cluster } from 'ioredis'
import { createClient, createCluster } from 'redis'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { hashTags, slotOf } from '#src/relay/redis/hash-tags.js'
import { turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { eventually, RedisCluster } from '../support/redis-cluster.js'
import { type ClientName, redisClients } from '../support/redis-clients.js'
import { requires } from '../support/requirements.js'

const names: ClientName[] = ['redis', 'ioredis']
const PARTITIONS = 6
const GROUPS = Array.from({ length: 20 }, (_, index) => `group ${index}`)

/** A hub, a member in each of the groups if it has members, and the gaps that it told of. */
class Node {
  readonly hub: Hub
  readonly gaps: Gap[] = []
  readonly members: readonly FakeMember[]

  constructor(hub: Hub, hasMembers: boolean) {
    this.hub = hub
    this.members = (hasMembers ? GROUPS : []).map((group) => {
      const member = new FakeMember()
      hub.group(group).add(member)
      return member
    })
    hub.on('gap', (gap) => this.gaps.push(gap))
    onTestFinished(() => hub.close())
  }

  get isConnected(): boolean {
    return this.hub.stats().relay!.connected
  }

  /** NaN when it is not known of one. */
  get missed(): number {
    return this.gaps.reduce((sum, { missed = NaN }) => sum + missed, 0)
  }

  get received(): number {
    return this.members.reduce((sum, { delivered }) => sum + delivered.length, 0)
  }

  async ready(): Promise<void> {
    await Promise.all([this.hub.ready, ...Array.from(this.hub.groups(), (group) => group.ready)])
  }

  /** Publishes to each group. Resolves with the groups for which it was not relayed. */
  async publish(text: string): Promise<string[]> {
    const results = await Promise.all(GROUPS.map((group) => this.hub.publish(group, text)))
    return GROUPS.filter((_, index) => !results[index]!.relayed)
  }
}

describe('a Redis Cluster', requires('redis-server'), () => {
  let cluster: RedisCluster

  beforeAll(async () => {
    const ends: (() => Promise<void> | void)[] = []
    cluster = await RedisCluster.start((end) => ends.push(end))
    return async () => {
      for (const end of ends.reverse()) await end()
    }
  })

  async function pair(name: ClientName): Promise<[one: Node, other: Node]> {
    const [one, other] = [false, true].map((hasMembers) => {
      const options = { prefix: 'chat:', heartbeatInterval: 200, partitions: PARTITIONS }
      return new Node(
        new Hub({ relay: redisRelay(redisClients[name].cluster(cluster.ports), options) }),
        hasMembers,
      )
    }) as [Node, Node]
    await Promise.all([one.ready(), other.ready()])
    return [one, other]
  }

  /** Publishes until all groups get everything again. All that was published has arrived or is counted, and is in order. */
  async function publishUntilComplete(one: Node, other: Node, isOver: () => boolean): Promise<void> {
    let count = 0
    const publish = (): Promise<unknown> => one.publish(String(count++))
    while (!isOver()) {
      await publish()
      await setTimeout(5)
    }
    // What is relayed may be lost all the same, until all know the new master: then it is counted.
    const newest = (): string => String(count - 1)
    while (!other.members.every(({ delivered }) => delivered.at(-1) === newest())) {
      await publish()
      await setTimeout(50)
    }
    // A node that comes back late cannot say how many there were.
    await until(() => Number.isNaN(other.missed) || other.received + other.missed === count * GROUPS.length)
    for (const { delivered } of other.members) expect(delivered).toEqual(inOrder(delivered))
  }

  describe.each(names)('with %s', (name) => {
    let client: RedisClusterClient | undefined
    for (const { name: check, run } of relayChecks(() => {
      client ??= redisClients[name].cluster(cluster.ports)
      return redisRelay(client, { partitions: 2 })
    })) {
      test(`meets for each partition: ${check}`, run)
    }

    test('delivers each message exactly once and in order, over two connections to each master', async () => {
      const [one, other] = await pair(name)
      const numbers = Array.from({ length: 200 }, (_, index) => String(index))
      for (const text of numbers) expect(await one.publish(text)).toEqual([])
      await until(() => other.received >= numbers.length * GROUPS.length)
      expect(other.members.map(({ delivered }) => delivered)).toEqual(GROUPS.map(() => numbers))
      expect(other.gaps).toEqual([])
      expect(await one.hub.group('group 7').count()).toMatchObject({ total: 1, missing: [] })
      expect((await one.hub.nodes()).nodes.map(({ members }) => members)).toEqual([0, GROUPS.length])
      expect(one.hub.stats().relay).toMatchObject({ nodes: 1, published: numbers.length * GROUPS.length })
      const [master] = await cluster.firstShard()
      for (const node of [master, 1, 2]) {
        const channels = (await cluster.command(
          node,
          'PUBSUB',
          'SHARDCHANNELS',
          'chat:{*}:nodes',
        )) as unknown[]
        expect(channels).toHaveLength(PARTITIONS / 3)
        await eventually(async () => (await connectionsOf(cluster, node)) === 4)
      }
      await Promise.all([one.hub.close(), other.hub.close()])
      for (const node of [master, 1, 2])
        await eventually(async () => (await connectionsOf(cluster, node)) === 0)
    })

    test('reports a gap for the groups of a killed master only, and relays again after the failover', async () => {
      const [one, other] = await pair(name)
      const [master, replica] = await cluster.firstShard()
      expect(await one.publish('before')).toEqual([])
      await until(() => other.received === GROUPS.length)
      await cluster.nodes[master]!.server.kill()
      await until(() => !one.isConnected && !other.isConnected)
      const lost = await one.publish('meanwhile')
      expect(lost.length).toBeGreaterThan(0)
      expect(lost.length).toBeLessThan(GROUPS.length)
      await until(() => one.isConnected && other.isConnected)
      const named = (): Set<string> => new Set(other.gaps.flatMap(({ groups }) => groups))
      await until(() => lost.every((group) => named().has(group)))
      expect(named()).toEqual(new Set(lost))
      for (const { cause } of other.gaps) expect(cause).toBe('connection')
      if (!Number.isNaN(other.missed)) expect(other.missed).toBe(lost.length)
      expect(await one.publish('after')).toEqual([])
      await until(() => other.received === 3 * GROUPS.length - lost.length)
      for (const [index, { delivered }] of other.members.entries()) {
        const isLost = lost.includes(GROUPS[index]!)
        expect(delivered).toEqual(isLost ? ['before', 'after'] : ['before', 'meanwhile', 'after'])
      }
      await cluster.promoted(replica)
      await cluster.nodes[master]!.server.restart()
      await cluster.settled()
      await cluster.replicated()
    })

    test('counts losses, and delivers nothing twice, when a replica replaces a running master', async () => {
      const [one, other] = await pair(name)
      const [, replica] = await cluster.firstShard()
      let isPromoted = false
      const promotion = cluster
        .command(replica, 'CLUSTER', 'FAILOVER', 'TAKEOVER')
        .then(() => cluster.promoted(replica))
        .then(() => (isPromoted = true))
      await publishUntilComplete(one, other, () => isPromoted)
      await promotion
      await cluster.settled()
      await cluster.replicated()
    })

    test('counts losses when a slot moves to another master, without affecting other groups', async () => {
      const [one, other] = await pair(name)
      // The first partition is the first master's.
      const slot = slotOf(hashTags(PARTITIONS)[0]!)
      const [master] = await cluster.firstShard()
      let isMoved = false
      const move = cluster.move(slot, master, 1).then(() => (isMoved = true))
      await publishUntilComplete(one, other, () => isMoved)
      await move
      await cluster.move(slot, 1, master)
    })

    test('delivers text that another program publishes on any server', async () => {
      const options: RedisRelayOptions = { prefix: 'chat:', plain: true, partitions: 3 }
      const node = new Node(
        new Hub({ relay: redisRelay(redisClients[name].cluster(cluster.ports), options) }),
        true,
      )
      await node.ready()
      for (const index of cluster.nodes.keys()) {
        await cluster.command(index, 'PUBLISH', 'chat:plain:group 3', `from ${index}`)
      }
      await until(() => node.received === cluster.nodes.length)
      expect(node.members[3]!.delivered.toSorted()).toEqual(['from 0', 'from 1', 'from 2', 'from 3'])
    })

    test('rejects ready and ends when the hub is closed while it looks up its servers', async () => {
      const hub = new Hub({ relay: redisRelay(redisClients[name].cluster([1]), { partitions: 3 }) })
      const { ready } = hub
      await turn()
      await hub.close()
      await expect(ready).rejects.toThrow('The hub was closed')
    })
  })

  test.each([
    [
      'redis',
      (port: number) =>
        createCluster({
          rootNodes: [{ socket: { host: '127.0.0.1', port } }],
          defaults: { username: 'nobody', password: 'wrong' },
        }),
    ],
    [
      'ioredis',
      (port: number) =>
        new Cluster([{ host: '127.0.0.1', port }], {
          lazyConnect: true,
          redisOptions: { username: 'nobody', password: 'wrong' },
        }),
    ],
  ])('rejects ready with a remedy if the password is wrong, with %s', async (_, clientOf) => {
    const hub = new Hub({ relay: redisRelay(clientOf(cluster.ports[1]!), { partitions: 3 }) })
    onTestFinished(() => hub.close())
    await expect(hub.ready).rejects.toThrow(/Redis refuses the relay.*password/)
  })

  test('computes the slots of hash tags as Redis does', async () => {
    for (const tag of [...hashTags(16), '', 'ü']) {
      expect(await cluster.command(1, 'CLUSTER', 'KEYSLOT', tag)).toBe(slotOf(tag))
    }
  })
})

/** The connections of relays that a server has. */
async function connectionsOf(cluster: RedisCluster, node: number): Promise<number> {
  const list = (await cluster.command(node, 'CLIENT', 'LIST')) as string
  return Array.from(list.matchAll(/ addr=127\.0\.0\.1:.* flags=[NP] .*cmd=(?!cluster|client)/g)).length
}

function inOrder(delivered: readonly string[]): string[] {
  return [...new Set(delivered)].sort((one, other) => Number(one) - Number(other))
}

test.each([1, 2, 6, 16, 1000])(
  'spreads the hash tags of %d partitions evenly over the slots',
  (partitions) => {
    const tags = hashTags(partitions)
    expect(new Set(tags).size).toBe(partitions)
    expect(tags.map((tag) => Math.floor((slotOf(tag) * partitions) / 16_384))).toEqual([...tags.keys()])
  },
)

test('redisRelay() refuses options that a cluster does not support', () => {
  for (const name of names) {
    const client = redisClients[name].cluster([1])
    expect(() => redisRelay(client, { prefix: '{chat}:' })).toThrow(
      /prefix must not contain a brace.*"\{chat\}:"/,
    )
    expect(() => redisRelay(client, { partitions: 0 })).toThrow(RangeError)
    expect(() => redisRelay(client, { partitions: 1025 })).toThrow(RangeError)
    expect(redisRelay(client).partitions).toHaveLength(16)
  }
  expect(() => redisRelay(createClient(), { partitions: 3 })).toThrow(/partitions requires a cluster client/)
})
