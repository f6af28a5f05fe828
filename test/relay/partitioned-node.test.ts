import { Hub, type PartitionedRelay } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
import { partitionOf } from '#src/relay/partitioned-node.js'
import { until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'

const OPTIONS = { heartbeatInterval: 10, requestTimeout: 200, recoveryTimeout: 200 }
/** One in each of three partitions. */
const NAMES = ['group 0', 'group 1', 'group 2'].toSorted((a, b) => partitionOf(a, 3) - partitionOf(b, 3))

/** A hub with three partitions, each by a broker of its own. */
function hubOn(brokers: readonly MemoryBroker[]): { hub: Hub; parts: MemoryRelay[] } {
  const parts = brokers.map((broker) => broker.relay(OPTIONS))
  const hub = new Hub({ relay: { options: OPTIONS, partitions: parts } })
  onTestFinished(() => hub.close())
  return { hub, parts }
}

test('distributes groups over the partitions deterministically', () => {
  expect(NAMES.map((name) => partitionOf(name, 3))).toEqual([0, 1, 2])
  expect(['', 'news', 'ü🙂'].map((name) => partitionOf(name, 1024))).toEqual([453, 70, 272])
  const counts = Array.from({ length: 16 }, () => 0)
  for (let index = 0; index < 16_000; index++) counts[partitionOf(`room ${index}`, 16)]!++
  expect(Math.min(...counts)).toBeGreaterThan(800)
})

test('a disconnected partition affects only its groups, and requests use the others', async () => {
  const brokers = NAMES.map(() => new MemoryBroker())
  const [one, other] = [hubOn(brokers), hubOn(brokers)]
  const members = NAMES.map((name) => {
    const member = new FakeMember()
    other.hub.group(name).add(member)
    return member
  })
  await Promise.all([one.hub.ready, other.hub.ready, ...NAMES.map((name) => other.hub.group(name).ready)])
  expect(one.hub.stats().relay).toMatchObject({ connected: true, nodes: 1 })
  one.parts[0]!.cut()
  expect(one.hub.stats().relay).toMatchObject({ connected: false })
  const results = await Promise.all(NAMES.map((name) => one.hub.publish(name, 'text')))
  expect(results.map(({ relayed }) => relayed)).toEqual([false, true, true])
  await until(() => members.every(({ delivered }, index) => delivered.length === (index === 0 ? 0 : 1)))
  const { nodes, missing } = await one.hub.nodes()
  expect(nodes.map(({ isSelf, groups }) => [isSelf, groups])).toEqual([
    [true, 0],
    [false, NAMES.length],
  ])
  expect(missing).toEqual([])
  expect(await one.hub.group(NAMES[1]!).count()).toMatchObject({ total: 1, missing: [] })
  expect(one.hub.stats().relay).toMatchObject({ published: 2, dropped: 1 })
  const told = new Promise((resolve) => other.hub.once('gap', resolve))
  one.parts[0]!.connect()
  expect(await told).toMatchObject({ groups: [NAMES[0]] })
  await until(() => one.hub.stats().relay!.connected)
  expect(await one.hub.group(NAMES[0]!).closeEverywhere(4001, 'over')).toMatchObject({
    closed: 1,
    missing: [],
  })
})

test('lists the present members in the groups of every partition, and reports new ones', async () => {
  const brokers = NAMES.map(() => new MemoryBroker())
  const [one, other] = [hubOn(brokers), hubOn(brokers)]
  const told: string[] = []
  other.hub.on('presence', ({ group, joined }) =>
    told.push(...joined.map(({ data }) => `${group}: ${JSON.stringify(data)}`)),
  )
  for (const name of NAMES) other.hub.group(name).add(new FakeMember())
  await Promise.all([one.hub.ready, other.hub.ready, ...NAMES.map((name) => other.hub.group(name).ready)])
  for (const name of NAMES) one.hub.group(name).add(new FakeMember(), { presence: `in ${name}` })
  await until(() => told.length === NAMES.length)
  expect(told.toSorted()).toEqual(NAMES.map((name) => `${name}: "in ${name}"`).toSorted())
  for (const name of NAMES) {
    const { members, missing } = await other.hub.group(name).members()
    expect(members.map(({ data, node }) => [data, node])).toEqual([[`in ${name}`, members[0]!.node]])
    expect(missing).toEqual([])
  }
})

test('becomes ready with all partitions, and rejects ready if one of them is refused', async () => {
  const { hub, parts } = hubOn([new MemoryBroker(), new MemoryBroker()])
  parts[1]!.misconfigure(new Error('refused'))
  await expect(hub.ready).rejects.toThrow('refused')
})

test('a hub refuses a relay without partitions', () => {
  const relay = { partitions: [] } as unknown as PartitionedRelay
  expect(() => new Hub({ relay })).toThrow(/relay must be a relay/)
  expect(() => new Hub({ relay: { partitions: [{}] } as unknown as PartitionedRelay })).toThrow(TypeError)
})
