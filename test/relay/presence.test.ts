import { Hub, type JsonValue, type RelayOptions } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { settled, turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'
import { PresenceLog } from '../support/presence-log.js'

interface Node {
  readonly hub: Hub
  readonly relay: MemoryRelay
  readonly log: PresenceLog
  readonly id: string
}

async function nodeOf(broker: MemoryBroker, options: RelayOptions = {}): Promise<Node> {
  const relay = broker.relay({ heartbeatInterval: 5, requestTimeout: 2000, unsubscribeDelay: 0, ...options })
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  const log = new PresenceLog(hub)
  await hub.ready
  return { hub, relay, log, id: (await hub.nodes()).nodes[0]!.id }
}

/** Nodes with a member in `news` each, which is present with its number, and known to all. */
async function nodesWithMembers(
  broker: MemoryBroker,
  count: number,
  options: RelayOptions = {},
): Promise<Node[]> {
  const nodes: Node[] = []
  while (nodes.length < count) nodes.push(await nodeOf(broker, options))
  for (const [index, { hub }] of nodes.entries()) hub.group('news').add(new FakeMember(), { presence: index })
  await Promise.all(nodes.map(({ log }) => log.until('news', ...nodes.keys())))
  return nodes
}

async function dataIn({ hub }: Node, group = 'news'): Promise<JsonValue[]> {
  return (await hub.group(group).members()).members.map(({ data }) => data).sort()
}

const publishedTo = ({ relay }: Node, channel: string): number =>
  relay.published.filter((name) => name === channel).length

describe('members of other nodes', () => {
  test('join and leave at each node that has members in the group', async () => {
    const [one, other, third] = (await nodesWithMembers(new MemoryBroker(), 3)) as [Node, Node, Node]
    const member = new FakeMember()
    one.hub.group('news').add(member, { presence: { name: 'Ada' } })
    for (const { log } of [one, other, third]) await log.until('news', 0, 1, 2, { name: 'Ada' })
    expect(other.log.events.at(-1)).toEqual({
      group: 'news',
      joined: [{ id: `${one.id}.2`, node: one.id, data: { name: 'Ada' } }],
      left: [],
    })
    one.hub.group('news').add(member, { presence: { name: 'Bea' } })
    for (const { log } of [one, other, third]) await log.until('news', 0, 1, 2, { name: 'Bea' })
    member.end()
    for (const node of [one, other, third]) {
      await node.log.until('news', 0, 1, 2)
      expect(await node.hub.group('news').members()).toMatchObject({ missing: [] })
      expect(await dataIn(node)).toEqual([0, 1, 2])
      expect(node.log.strangers).toEqual([])
    }
  })

  test('are listed after those of this node, by nodes with and without members in the group', async () => {
    const broker = new MemoryBroker()
    const [one, other] = (await nodesWithMembers(broker, 2)) as [Node, Node]
    const outside = await nodeOf(broker)
    const [first, second] = [
      { id: `${one.id}.1`, node: one.id, data: 0 },
      { id: `${other.id}.1`, node: other.id, data: 1 },
    ]
    expect(await one.hub.group('news').members()).toEqual({ members: [first, second], missing: [] })
    expect(await other.hub.group('news').members()).toEqual({ members: [second, first], missing: [] })
    const { members, missing } = await outside.hub.group('news').members()
    expect([members.toSorted((a, b) => (a.data as number) - (b.data as number)), missing]).toEqual([
      [first, second],
      [],
    ])
    expect(await outside.hub.group('empty').members()).toEqual({ members: [], missing: [] })
    expect(outside.log.events).toEqual([])
  })

  test('are known as soon as members() resolves after the first member of the group has been added', async () => {
    const broker = new MemoryBroker()
    const [one] = (await nodesWithMembers(broker, 2)) as [Node, Node]
    const late = await nodeOf(broker)
    late.hub.group('news').add(new FakeMember())
    expect(await dataIn(late)).toEqual([0, 1])
    expect(late.log.in('news')).toEqual([0, 1])
    one.hub.group('news').add(new FakeMember(), { presence: 'more' })
    await late.log.until('news', 0, 1, 'more')
  })

  test('are reported to a listening node whose own member has no presence', async () => {
    const broker = new MemoryBroker()
    const relay = broker.relay({ heartbeatInterval: 5 })
    const hub = new Hub({ relay })
    onTestFinished(() => hub.close())
    hub.group('news').add(new FakeMember())
    await hub.ready
    const [one] = (await nodesWithMembers(broker, 1)) as [Node]
    const log = new PresenceLog(hub)
    await log.until('news', 0)
    one.hub.group('news').add(new FakeMember(), { presence: 'more' })
    await log.until('news', 0, 'more')
  })

  test('leave immediately when their node closes its hub', async () => {
    const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2, { heartbeatInterval: 60_000 })) as [
      Node,
      Node,
    ]
    await other.hub.close()
    await one.log.until('news', 0)
    expect(one.log.events.at(-1)).toMatchObject({ joined: [], left: [{ node: other.id, data: 1 }] })
    // A closed hub works in its process.
    expect(await dataIn(other)).toEqual([1])
    other.hub.group('news').add(new FakeMember(), { presence: 'alone' })
    expect(await dataIn(other)).toEqual([1, 'alone'])
  })

  test('leave when their node has been silent for 20 heartbeats, and rejoin when it resumes', async () => {
    const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2)) as [Node, Node]
    other.relay.stop()
    await one.log.until('news', 0)
    expect(await one.hub.group('news').members()).toMatchObject({
      members: [{ data: 0 }],
      missing: [other.id],
    })
    expect(one.hub.stats().relay!.nodes).toBe(1)
    other.relay.resume()
    await one.log.until('news', 0, 1)
    expect((await one.hub.group('news').members()).missing).toEqual([])
  })
})

describe('changes', () => {
  test('of one turn are sent as one message per group, and those of 1,000 members as a few', async () => {
    const broker = new MemoryBroker()
    const [one, other] = (await nodesWithMembers(broker, 2, { heartbeatInterval: 60_000 })) as [Node, Node]
    const before = publishedTo(one, 'hubwire:group:news')
    const members = Array.from({ length: 1000 }, () => new FakeMember())
    for (const [index, member] of members.entries())
      one.hub.group('news').add(member, { presence: `member ${index}` })
    await until(() => other.log.in('news').length === 1002)
    expect(publishedTo(one, 'hubwire:group:news') - before).toBe(1)
    for (const member of members) member.end()
    await other.log.until('news', 0, 1)
    expect(publishedTo(one, 'hubwire:group:news') - before).toBe(2)
    // 400 KB in envelopes of 64 KiB.
    for (let index = 0; index < 100; index++) {
      one.hub.group('news').add(new FakeMember(), { presence: `${index} ${'x'.repeat(4000)}` })
    }
    await until(() => other.log.in('news').length === 102)
    expect(publishedTo(one, 'hubwire:group:news') - before).toBe(2 + 7)
    expect(other.log.strangers).toEqual([])
  })

  test('that were lost are detected by the next change', async () => {
    const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2, { heartbeatInterval: 60_000 })) as [
      Node,
      Node,
    ]
    one.relay.losing = 1
    one.hub.group('news').add(new FakeMember(), { presence: 'lost' })
    await settled()
    expect(other.log.in('news')).toEqual([0, 1])
    one.hub.group('news').add(new FakeMember(), { presence: 'next' })
    await other.log.until('news', 0, 1, 'lost', 'next')
  })

  test('that were lost are detected by the next heartbeat, even if the group is empty', async () => {
    const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2, { heartbeatInterval: 50 })) as [
      Node,
      Node,
    ]
    const members = [new FakeMember(), new FakeMember()]
    one.relay.losing = 1
    one.hub.group('news').add(members[0]!, { presence: 'lost' })
    await other.log.until('news', 0, 1, 'lost')
    one.hub.group('other').add(members[1]!, { presence: 'there' })
    other.hub.group('other').add(new FakeMember())
    await other.log.until('other', 'there')
    one.relay.losing = 2
    for (const member of members) member.end()
    await other.log.until('news', 0, 1)
    await other.log.until('other')
    expect(other.log.strangers).toEqual([])
  })

  test('that were lost together with heartbeats are detected by the missing heartbeat', async () => {
    const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2)) as [Node, Node]
    const before = publishedTo(one, 'hubwire:nodes')
    one.relay.losing = 4
    one.hub.group('news').add(new FakeMember(), { presence: 'lost' })
    await until(() => publishedTo(one, 'hubwire:nodes') > before + 3 && one.relay.losing === 0)
    await other.log.until('news', 0, 1, 'lost')
  })

  test('while a node is disconnected are known to all nodes after its reconnection', async () => {
    const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2)) as [Node, Node]
    const gone = new FakeMember()
    other.hub.group('news').add(gone, { presence: 'gone' })
    await one.log.until('news', 0, 1, 'gone')
    other.relay.cut()
    gone.end()
    other.hub.group('news').add(new FakeMember(), { presence: 'new here' })
    one.hub.group('news').add(new FakeMember(), { presence: 'new there' })
    await other.log.until('news', 0, 1, 'new here')
    const { members, missing } = await other.hub.group('news').members()
    expect(members.map(({ data }) => data)).toEqual([1, 'new here', 0])
    expect(missing).toEqual([one.id])
    other.relay.connect()
    for (const { log } of [one, other]) await log.until('news', 0, 1, 'new here', 'new there')
    for (const node of [one, other]) {
      expect((await node.hub.group('news').members()).missing).toEqual([])
      expect(node.log.strangers).toEqual([])
    }
  })

  test.each(['publishing', 'receiving'] as const)(
    'while %s is not possible are known afterwards',
    async (direction) => {
      const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2)) as [Node, Node]
      other.relay.cut(direction)
      other.hub.group('news').add(new FakeMember(), { presence: 'here' })
      one.hub.group('news').add(new FakeMember(), { presence: 'there' })
      await settled()
      other.relay.connect()
      for (const { log } of [one, other]) await log.until('news', 0, 1, 'here', 'there')
    },
  )

  test('of groups that were never announced leave nothing behind', async () => {
    const [one] = (await nodesWithMembers(new MemoryBroker(), 1, { heartbeatInterval: 5 })) as [Node]
    one.relay.cut()
    for (let index = 0; index < 100; index++) {
      const member = new FakeMember()
      one.hub.group(`brief ${index}`).add(member, { presence: index })
      await turn()
      member.end()
    }
    await turn()
    expect(one.log.in('brief 99')).toEqual([])
    expect(one.log.events).toHaveLength(1 + 200)
  })
})

describe('while the broker is stalled', () => {
  test('the number of pending messages is bounded, and the others know everything when it resumes', async () => {
    const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2, { heartbeatInterval: 100 })) as [
      Node,
      Node,
    ]
    const outside = await nodeOf(new MemoryBroker())
    const before = publishedTo(one, 'hubwire:group:news')
    one.relay.stop()
    for (let index = 0; index < 1100; index++) {
      one.hub.group('news').add(new FakeMember(), { presence: `${index}` })
      await turn()
    }
    expect(publishedTo(one, 'hubwire:group:news') - before).toBe(1024)
    one.relay.resume()
    await until(() => other.log.in('news').length === 1102)
    expect(other.log.strangers).toEqual([])
    expect(outside.log.events).toEqual([])
  })

  test('members() names the node as missing', async () => {
    const broker = new MemoryBroker()
    const options = { heartbeatInterval: 20, requestTimeout: 200 }
    const one = await nodeOf(broker, options)
    for (let index = 0; index < 1100; index++) {
      one.hub.group('news').add(new FakeMember(), { presence: index })
    }
    await settled()
    const outside = await nodeOf(broker, options)
    // The broker takes nothing more, but messages arrive.
    const { publish } = one.relay
    const answers: (() => void)[] = []
    one.relay.publish = async (channel, payload) => {
      if (channel.startsWith('hubwire:group:')) await new Promise<void>((resolve) => answers.push(resolve))
      return await publish.call(one.relay, channel, payload)
    }
    const member = new FakeMember()
    for (let index = 0; index < 1024; index++) {
      one.hub.group('busy').add(member, { presence: index })
      await turn()
    }
    expect(answers).toHaveLength(1024)
    expect(await outside.hub.group('news').members()).toEqual({ members: [], missing: [one.id] })
    outside.hub.group('news').add(new FakeMember())
    expect(await outside.hub.group('news').members()).toEqual({ members: [], missing: [one.id] })
    one.relay.publish = publish
    for (const answer of answers) answer()
    await until(() => outside.log.in('news').length === 1100)
    expect((await outside.hub.group('news').members()).missing).toEqual([])
  })
})

describe('an answer', () => {
  test('longer than an envelope is divided, for one group and for many', async () => {
    const broker = new MemoryBroker()
    const one = await nodeOf(broker)
    const text = 'x'.repeat(3000)
    for (let index = 0; index < 600; index++)
      one.hub.group('large').add(new FakeMember(), { presence: `${text}${index}` })
    for (let index = 0; index < 2500; index++)
      one.hub.group(`small ${index}`).add(new FakeMember(), { presence: index })
    await settled()
    const other = await nodeOf(broker)
    const member = new FakeMember()
    other.hub.group('large').add(member)
    for (let index = 0; index < 2500; index++) other.hub.group(`small ${index}`).add(member)
    await Promise.all(Array.from(other.hub.groups(), (group) => group.ready))
    expect(await dataIn(other, 'large')).toHaveLength(600)
    for (let index = 0; index < 2500; index += 100)
      expect(await dataIn(other, `small ${index}`)).toEqual([index])
    await until(() => other.log.in('small 2499').length === 1)
    const outside = await nodeOf(broker)
    expect(await dataIn(outside, 'large')).toHaveLength(600)
    expect(publishedTo(one, `hubwire:node:${other.id}`)).toBeGreaterThan(20)
  })

  test('of which a part is lost is requested again', async () => {
    const broker = new MemoryBroker()
    const one = await nodeOf(broker, { heartbeatInterval: 20 })
    for (let index = 0; index < 100; index++) {
      one.hub.group('large').add(new FakeMember(), { presence: `${index} ${'x'.repeat(3000)}` })
    }
    await settled()
    const other = await nodeOf(broker, { heartbeatInterval: 20 })
    const channel = `hubwire:node:${other.id}`
    const { publish } = one.relay
    let lost = 0
    one.relay.publish = async (name, payload) => {
      if (name !== channel || payload.length < 30_000 || lost > 0)
        return await publish.call(one.relay, name, payload)
      lost++
      return 1
    }
    other.hub.group('large').add(new FakeMember())
    expect(await dataIn(other, 'large')).toHaveLength(100)
    expect(lost).toBe(1)
    lost = 0
    const outside = await nodeOf(broker)
    expect(await outside.hub.group('large').members()).toMatchObject({ missing: [] })
  })

  test('to members() of which a part is lost makes its node missing', async () => {
    const broker = new MemoryBroker()
    const [one] = (await nodesWithMembers(broker, 1)) as [Node]
    const outside = await nodeOf(broker)
    const { publish } = one.relay
    let isLosing = true
    one.relay.publish = async (name, payload) => {
      if (isLosing && name === `hubwire:node:${outside.id}` && payload[3] === 12) return 1
      return await publish.call(one.relay, name, payload)
    }
    expect(await outside.hub.group('news').members()).toEqual({ members: [], missing: [one.id] })
    isLosing = false
    expect(await dataIn(outside)).toEqual([0])
  })

  test('is not awaited for longer than requestTimeout', async () => {
    const broker = new MemoryBroker()
    const [one, other] = (await nodesWithMembers(broker, 2, {
      heartbeatInterval: 60_000,
      requestTimeout: 20,
    })) as [Node, Node]
    other.relay.stop()
    one.hub.group('second').add(new FakeMember(), { presence: 'here' })
    const { members, missing } = await one.hub.group('second').members()
    expect([members.map(({ data }) => data), missing]).toEqual([['here'], [other.id]])
    expect((await one.hub.group('third').members()).missing).toEqual([other.id])
    other.relay.resume()
    await until(() => one.log.events.length > 0)
  })

  test('is not awaited when the group has lost its last member, or the connection is lost', async () => {
    const [one, other] = (await nodesWithMembers(new MemoryBroker(), 2, {
      heartbeatInterval: 60_000,
      requestTimeout: Infinity,
    })) as [Node, Node]
    other.relay.stop()
    const member = new FakeMember()
    const group = one.hub.group('second').add(member)
    const [first, again] = [group.members(), one.hub.group('third').add(new FakeMember()).members()]
    await settled()
    member.end()
    expect((await first).missing).toEqual([other.id])
    one.relay.cut()
    expect((await again).missing).toEqual([other.id])
    other.relay.resume()
  })
})

test('rejects a value longer than maxPayload', async () => {
  const { hub } = await nodeOf(new MemoryBroker(), { maxPayload: 100 })
  hub.group('news').add(new FakeMember(), { presence: 'x'.repeat(98) })
  expect(() => hub.group('news').add(new FakeMember(), { presence: 'x'.repeat(99) })).toThrow(
    'presence may have 100 bytes as JSON; this value has 101',
  )
})
