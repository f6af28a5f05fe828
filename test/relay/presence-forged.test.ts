import { Hub } from 'hubwire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Channels } from '#src/relay/channels.js'
import { encodeHeartbeat, encodeReply, MAX_ENTRIES, type SendingNode } from '#src/relay/control.js'
import { Flag, Kind } from '#src/relay/envelope.js'
import { MAX_PEERS, Peers } from '#src/relay/peers.js'
import type { RemotePresence } from '#src/relay/presence.js'
import {
  decodeDelta,
  decodePresenceQuery,
  decodeState,
  encodeDelta,
  encodeList,
  encodePresenceQuery,
  encodeState,
  type PresenceQuery,
} from '#src/relay/presence-envelopes.js'
import { PresenceFollower } from '#src/relay/presence-follower.js'
import { PresencePublisher } from '#src/relay/presence-publisher.js'
import { settled, turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'
import { PresenceLog } from '../support/presence-log.js'

const forger: SendingNode = { id: 'f0f0f0f0f0f0f0f0', epoch: 1 }
const GROUP = 'hubwire:group:news'

interface Victim {
  readonly broker: MemoryBroker
  readonly hub: Hub
  readonly relay: MemoryRelay
  readonly log: PresenceLog
  readonly id: string
  /** The queries that were sent to the forger. */
  readonly queries: PresenceQuery[]
}

/** A hub with a present member in `news`. */
async function victim(heartbeatInterval = 20): Promise<Victim> {
  const broker = new MemoryBroker()
  const relay = broker.relay({ heartbeatInterval, requestTimeout: 20 })
  const { publish } = relay
  const queries: PresenceQuery[] = []
  relay.publish = async (channel, payload) => {
    if (channel === `hubwire:node:${forger.id}`) queries.push(decodePresenceQuery(payload)!)
    return await publish.call(relay, channel, payload)
  }
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  const log = new PresenceLog(hub)
  hub.group('news').add(new FakeMember(), { presence: 'real' })
  await hub.ready
  await hub.group('news').ready
  await log.until('news', 'real')
  return { broker, hub, relay, log, id: (await hub.nodes()).nodes[0]!.id, queries }
}

/** Lets the forger be heard, and answers the query that follows with nothing. */
async function introduce({ broker, id, queries }: Victim): Promise<void> {
  const [beat] = encodeHeartbeat(forger, { number: 1, previous: 0, entries: [] })
  broker.publish('hubwire:nodes', beat!)
  await until(() => queries.length > 0)
  const { number } = queries.at(-1)!
  broker.publish(`hubwire:node:${id}`, encodeState(forger, { number, part: 0, covered: 1, records: [] }))
  await settled()
}

const delta = (previous: number, version: number, ...texts: string[]): Buffer =>
  encodeDelta(forger, { previous, version, joined: texts.map((text, id) => ({ id, text })), left: [] })

describe('a forged message', () => {
  test.each([
    ['a text that is no JSON', delta(0, 1, '{"a":')],
    ['a text that is empty', delta(0, 1, '')],
    ['a text that is too long', delta(0, 1, JSON.stringify('x'.repeat(4095)))],
    ['a version that goes back', delta(2, 1, '1')],
    ['a version that stays', delta(1, 1, '1')],
    ['no change', encodeDelta(forger, { previous: 0, version: 1, joined: [], left: [] })],
    ['more members than it has', changed(delta(0, 1, '1'), 31, 9)],
    ['half of it', delta(0, 1, '1').subarray(0, 30)],
  ])('with %s on the channel of a group is refused and counted', async (_, payload) => {
    const one = await victim()
    await introduce(one)
    one.broker.publish(GROUP, payload)
    await until(() => one.hub.stats().relay!.refused === 1)
    one.broker.publish(GROUP, delta(0, 1, '"good"'))
    await one.log.until('news', 'real', 'good')
    expect(one.hub.stats().relay!.refused).toBe(1)
  })

  test.each([
    ['a query without groups', encodePresenceQuery(forger, { number: 1, groups: [] })],
    [
      'a query with too many groups',
      encodePresenceQuery(forger, {
        number: 1,
        groups: Array.from({ length: MAX_ENTRIES + 1 }, () => ({ key: 'news', version: 0 })),
      }),
    ],
    [
      'an answer with members but no version',
      encodeState(forger, {
        number: 1,
        part: 0,
        covered: 1,
        records: [{ index: 0, version: 0, isEnd: true, members: [{ id: 1, text: '1' }] }],
      }),
    ],
    [
      'an answer with a version but no members',
      encodeState(forger, {
        number: 1,
        part: 0,
        covered: 1,
        records: [{ index: 0, version: 1, isEnd: true, members: [] }],
      }),
    ],
    ['a list with a text that is no JSON', encodeList(forger, { id: 1, members: [{ id: 1, text: 'x' }] })],
    ['a kind that there is not', changed(encodeList(forger, { id: 1, members: [] }), 3, 99)],
    ['changes of a group that are on the wrong channel', delta(0, 1, '1')],
  ])('as %s for a node is refused and counted', async (_, payload) => {
    const one = await victim()
    one.broker.publish(`hubwire:node:${one.id}`, payload)
    await until(() => one.hub.stats().relay!.refused === 1)
    expect((await one.hub.group('news').members()).members.map(({ data }) => data)).toEqual(['real'])
  })

  test('with the id of the node itself changes nothing', async () => {
    const one = await victim()
    const own = encodeDelta(
      { id: one.id, epoch: 1 },
      { previous: 0, version: 9, joined: [{ id: 7, text: '7' }], left: [] },
    )
    one.broker.publish(GROUP, own)
    await settled()
    expect(one.log.in('news')).toEqual(['real'])
    expect(one.hub.stats().relay!.refused).toBe(0)
  })

  test('as an answer that was not requested, or is incomplete, changes nothing', async () => {
    // Without a heartbeat, nothing is asked again.
    const one = await victim(60_000)
    const [beat] = encodeHeartbeat(forger, { number: 1, previous: 0, entries: [] })
    one.broker.publish('hubwire:nodes', beat!)
    await until(() => one.queries.length > 0)
    const { number } = one.queries.at(-1)!
    const answer = (change: object): void => {
      const records = [{ index: 0, version: 5, isEnd: true, members: [{ id: 1, text: '"forged"' }] }]
      const bytes = encodeState(forger, { number, part: 0, covered: 1, records, ...change })
      one.broker.publish(`hubwire:node:${one.id}`, bytes)
    }
    answer({ number: number + 1 })
    answer({ part: 1 })
    await settled()
    expect(one.log.in('news')).toEqual(['real'])
    answer({ records: [{ index: 7, version: 5, isEnd: true, members: [{ id: 1, text: '1' }] }] })
    await until(() => one.hub.stats().relay!.refused === 1)
    expect(one.log.in('news')).toEqual(['real'])
  })

  test('with members of a node that does not exist is forgotten like others', async () => {
    const one = await victim()
    await introduce(one)
    one.broker.publish(
      GROUP,
      delta(0, 1, '"__proto__"', '{"__proto__":1}', `${'['.repeat(2000)}${']'.repeat(2000)}`),
    )
    await until(() => one.log.in('news').length === 4)
    await one.log.until('news', 'real')
    expect(one.log.strangers).toEqual([])
  })

  test('from a node that never answers causes only a few queries', async () => {
    const one = await victim()
    const [beat] = encodeHeartbeat(forger, { number: 1, previous: 0, entries: [] })
    one.broker.publish('hubwire:nodes', beat!)
    await until(() => one.queries.length > 0)
    await until(() => one.hub.stats().relay!.nodes === 0)
    expect(one.queries.length).toBeLessThan(6)
    for (const { groups } of one.queries) expect(groups).toEqual([{ key: 'news', version: 0 }])
  })

  test('as a list whose reply has another count makes its node missing', async () => {
    const one = await victim()
    await introduce(one)
    const { broker, hub, id, relay } = one
    const { publish } = relay
    relay.publish = async (channel, payload) => {
      if (channel === 'hubwire:nodes' && payload[3] === Kind.request) {
        const request = payload.readUInt32BE(16)
        const description = { host: 'x', pid: 1, groups: 0, members: 0 }
        const members = [{ id: 1, text: '"one"' }]
        for (const bytes of [
          encodeList(forger, { id: request, members }),
          encodeList(forger, { id: request, members }),
          encodeReply(forger, { id: request, count: 3, description }),
        ]) {
          broker.publish(`hubwire:node:${id}`, bytes)
        }
      }
      return await publish.call(relay, channel, payload)
    }
    expect(await hub.group('elsewhere').members()).toEqual({ members: [], missing: [forger.id] })
  })
})

function changed(bytes: Buffer, offset: number, value: number): Buffer {
  bytes[offset] = value
  return bytes
}

describe('the members of other nodes', () => {
  /** A follower of the group `news` that has room for a few members, and a peer that it knows. */
  function follower(maxHeld: number) {
    const peers = new Peers(1000, () => undefined)
    const queries: PresenceQuery[] = []
    const present = new Map<number, string>()
    const following = new PresenceFollower({
      peers,
      timeout: 0,
      maxHeld,
      send: (_, query) => queries.push(query),
      changed: (_, { joined, left }) => {
        for (const { id, text } of joined) present.set(id, text)
        for (const { id } of left) present.delete(id)
      },
    })
    following.follow('news', 'news')
    const peer = peers.heard('a', 1)
    following.appeared(peer)
    following.up()
    following.ready('news')
    return { following, peer, queries, present }
  }

  const members = (count: number): { id: number; text: string }[] =>
    Array.from({ length: count }, (_, id) => ({ id, text: `"member ${id}"` }))

  const nodesOf = (list: readonly RemotePresence[]): string[] =>
    list.map(({ node, text }) => `${node} ${text}`)

  test('take bounded memory, and their nodes are missing while there is no room', async () => {
    // Each takes about 110 bytes.
    const { following, peer, queries, present } = follower(1000)
    const view = following.find('news')!
    const answer = (count: number, version: number): void => {
      const { number } = queries.at(-1)!
      const records = [{ index: 0, version, isEnd: true, members: members(count) }]
      expect(following.state(peer, { number, part: 0, covered: 1, records })).toBe(true)
    }
    await turn()
    answer(3, 3)
    expect(present.size).toBe(3)
    expect((await following.members(view)).missing).toEqual([])
    following.delta('news', peer, { previous: 3, version: 10, joined: members(20).slice(3), left: [] })
    expect(present.size).toBe(3)
    expect(await following.members(view)).toMatchObject({ missing: ['a'] })
    // Changes do not lead to a question before all groups are compared again.
    following.delta('news', peer, { previous: 10, version: 11, joined: [], left: [5] })
    await turn()
    expect(queries).toHaveLength(1)
    following.up()
    await turn()
    expect(queries.at(-1)).toMatchObject({ groups: [{ key: 'news', version: 3 }] })
    answer(20, 11)
    expect(present.size).toBe(3)
    following.up()
    await turn()
    answer(5, 12)
    const { members: list, missing } = await following.members(view)
    expect([nodesOf(list), missing]).toEqual([[0, 1, 2, 3, 4].map((id) => `a "member ${id}"`), []])
    expect(present.size).toBe(5)
  })

  test('of an endless list take bounded memory', async () => {
    const { following, peer, queries, present } = follower(1000)
    await turn()
    const { number } = queries.at(-1)!
    const record = { index: 0, version: 5, members: members(2) }
    for (let part = 0; part < 100; part++) {
      following.state(peer, { number, part, covered: 0, records: [{ ...record, isEnd: false }] })
    }
    following.state(peer, { number, part: 100, covered: 1, records: [{ ...record, isEnd: true }] })
    expect(present.size).toBe(0)
    expect((await following.members(following.find('news')!)).missing).toEqual(['a'])
  })

  test('release their memory when a group is no longer followed', () => {
    const { following, peer, present } = follower(1000)
    for (let round = 0; round < 20; round++) {
      following.delta('news', peer, { previous: 0, version: 5, joined: members(5), left: [] })
      expect(present.size).toBe(5)
      following.unfollow('news')
      present.clear()
      following.follow('news', 'news')
      following.ready('news')
    }
  })

  test('of a version for which there was no room are replaced', async () => {
    const { following, peer, queries, present } = follower(1000)
    await turn()
    const answer = (count: number, version: number): void => {
      const records = [{ index: 0, version, isEnd: true, members: members(count) }]
      following.state(peer, { number: queries.at(-1)!.number, part: 0, covered: 1, records })
    }
    answer(5, 5)
    answer(6, 6)
    following.up()
    await turn()
    // Their own cost does not count twice, but 6 more have no room in addition to those that stay.
    answer(8, 8)
    expect(present.size).toBe(5)
    following.up()
    await turn()
    expect(queries.at(-1)!.groups).toEqual([{ key: 'news', version: 5 }])
    answer(0, 0)
    expect(present.size).toBe(0)
  })
})

/** A follower of these groups, and a peer that it knows. */
async function followerOf(keys: readonly string[]) {
  const peers = new Peers(1000, () => undefined)
  const queries: PresenceQuery[] = []
  const following = new PresenceFollower({
    peers,
    timeout: 0,
    send: (_, query) => queries.push(query),
    changed: () => undefined,
  })
  const peer = peers.heard('a', 1)
  following.appeared(peer)
  following.up()
  for (const key of keys) {
    following.follow(key, key)
    following.ready(key)
  }
  await turn()
  return { following, peer, queries }
}

describe('a query', () => {
  test('is repeated if the answer is older than a version that arrived meanwhile', async () => {
    const { following, peer, queries } = await followerOf(['news'])
    const answer = (version: number): void => {
      const records = [{ index: 0, version, isEnd: true, members: [{ id: 1, text: '1' }] }]
      following.state(peer, { number: queries.at(-1)!.number, part: 0, covered: 1, records })
    }
    // A broker that keeps no order across channels.
    following.delta('news', peer, { previous: 5, version: 6, joined: [{ id: 2, text: '2' }], left: [] })
    answer(5)
    await turn()
    expect(queries.at(-1)!.groups).toEqual([{ key: 'news', version: 5 }])
    answer(6)
    await turn()
    expect(queries).toHaveLength(2)
    expect((await following.members(following.find('news')!)).missing).toEqual([])
  })

  test('has at most 1,000 groups, and is repeated for groups that the answer does not cover', async () => {
    const keys = Array.from({ length: 25_000 }, (_, index) => `group ${index}`)
    const { following, peer, queries } = await followerOf(keys)
    const asked = new Map<string, number>()
    while (asked.size < keys.length || queries.length > 0) {
      const query = queries.shift()!
      expect(query.groups.length).toBeLessThanOrEqual(MAX_ENTRIES)
      const covered = Math.min(900, query.groups.length)
      for (const { key } of query.groups.slice(0, covered)) asked.set(key, (asked.get(key) ?? 0) + 1)
      following.state(peer, { number: query.number, part: 0, covered, records: [] })
      await turn()
    }
    // Some are asked for twice: with all others, because there are many, and by themselves.
    expect(Math.max(...asked.values())).toBeLessThanOrEqual(2)
    for (const key of keys.slice(0, 3)) {
      expect((await following.members(following.find(key)!)).missing).toEqual([])
    }
  })

  test('has at most 64 KiB of names', async () => {
    const { queries } = await followerOf(
      Array.from({ length: 100 }, (_, index) => `${index} ${'x'.repeat(1000)}`),
    )
    expect(queries[0]!.groups).toHaveLength(65)
  })

  test('is answered for at most the maximum number of nodes', async () => {
    const sent: (() => void)[] = []
    const publisher = new PresencePublisher({
      channels: new Channels(''),
      local: { present: () => [], isObserved: () => false, groupNames: () => [], changed: () => undefined },
      maxPayload: 1000,
      sender: () => forger,
      send: () => new Promise<void>((resolve) => sent.push(resolve)),
    })
    const query = { number: 1, groups: [{ key: 'news', version: 0 }] }
    for (let node = 0; node < 2000; node++) publisher.answer(String(node), query)
    publisher.answer('1', query)
    for (let answered = 0; answered < sent.length; answered++) {
      sent[answered]!()
      await turn()
    }
    // The first is answered at once.
    expect(sent).toHaveLength(1 + MAX_PEERS)
    // What waits when the connection is lost is not answered.
    publisher.answer('1', query)
    publisher.answer('2', query)
    publisher.disconnected()
    sent.at(-1)!()
    await turn()
    expect(sent).toHaveLength(2 + MAX_PEERS)
  })
})

test('compares all groups again after 60 heartbeats, so that forged members are removed', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const { following, peer, queries } = await followerOf(['news'])
  following.state(peer, { number: queries[0]!.number, part: 0, covered: 1, records: [] })
  for (let beats = 0; beats < 60; beats++) {
    expect(queries).toHaveLength(1)
    following.tick()
    await turn()
  }
  expect(queries).toHaveLength(2)
})

test('versions in a heartbeat are not taken for sequence numbers', async () => {
  const one = await victim()
  const gaps: unknown[] = []
  one.hub.on('gap', (gap) => gaps.push(gap))
  const entries = [{ key: 'news', base: 5, top: 100, flags: Flag.presence }]
  for (const [number, top] of [100, 200, 300].entries()) {
    const [beat] = encodeHeartbeat(forger, {
      number: number + 1,
      previous: number,
      entries: [{ ...entries[0]!, top }],
    })
    one.broker.publish('hubwire:nodes', beat!)
  }
  await settled()
  expect(gaps).toEqual([])
  expect(decodeDelta(delta(0, 1, '1'))).toBeDefined()
  expect(decodeState(Buffer.alloc(0))).toBeUndefined()
})
