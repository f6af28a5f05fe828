import { Hub, type RelayOptions } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'
import { runs } from '../support/runs.js'

const GROUPS = runs(2000)

function hubWith(options: RelayOptions = {}): { hub: Hub; relay: MemoryRelay } {
  const relay = new MemoryBroker().relay({ heartbeatInterval: 5, requestTimeout: 20, ...options })
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  return { hub, relay }
}

const groupsOf = (channels: Iterable<string>): string[] =>
  [...channels].filter((channel) => channel.startsWith('hubwire:group:'))

describe('subscriptions', () => {
  test('are sent in batches of 500 names, and end after the last member has left', async () => {
    const { hub, relay } = hubWith({ unsubscribeDelay: 0 })
    await hub.ready
    const member = new FakeMember()
    for (let index = 0; index < GROUPS; index++) hub.group(String(index)).add(member)
    await Promise.all(Array.from(hub.groups(), (group) => group.ready))
    const sizes = relay.commands.map((channels) => groupsOf(channels).length).filter((size) => size > 0)
    expect(sizes).toEqual(Array.from({ length: GROUPS / 500 }, () => 500))
    expect(groupsOf(relay.subscribed)).toHaveLength(GROUPS)
    member.end()
    await until(() => groupsOf(relay.subscribed).length === 0)
  })

  test('of groups that are joined and left at once are not sent', async () => {
    const { hub, relay } = hubWith()
    await hub.ready
    const member = new FakeMember()
    for (let index = 0; index < 10_000; index++) {
      hub.group(`churn ${index}`).add(member)
      hub.group(`churn ${index}`).delete(member)
    }
    await hub.nodes()
    expect(relay.commands.flatMap((channels) => groupsOf(channels))).toEqual([])
  })

  test('of groups without members are limited, even with unsubscribeDelay: Infinity', async () => {
    const { hub, relay } = hubWith({ unsubscribeDelay: Infinity })
    await hub.ready
    const member = new FakeMember()
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < 4000; index++) hub.group(`${round} ${index}`).add(member)
      await Promise.all(Array.from(hub.groups(), (group) => group.ready))
      hub.leaveAll(member)
    }
    await until(() => groupsOf(relay.subscribed).length <= 10_000)
    expect(hub.stats().groups).toBe(0)
  })

  test('that the broker refuses reject ready, and are retried', async () => {
    const { hub, relay } = hubWith()
    relay.refused.add('hubwire:group:secret')
    await hub.ready
    const member = new FakeMember()
    hub.group('secret').add(member)
    await expect(hub.group('secret').ready).rejects.toThrow('refused')
    relay.refused.clear()
    await hub.group('secret').ready
    expect(relay.subscribed.has('hubwire:group:secret')).toBe(true)
  })

  test('are renewed if requested while being ended', async () => {
    const { hub, relay } = hubWith({ unsubscribeDelay: 0 })
    await hub.ready
    const member = new FakeMember()
    const group = hub.group('again').add(member)
    await group.ready
    group.delete(member)
    await until(() => !relay.subscribed.has('hubwire:group:again'))
    group.add(member)
    await group.ready
    expect(relay.subscribed.has('hubwire:group:again')).toBe(true)
  })

  test('of an empty group are ready at once, and those of a closed hub reject', async () => {
    const { hub } = hubWith()
    await hub.group('empty').ready
    hub.group('waiting').add(new FakeMember())
    const { ready } = hub.group('waiting')
    await hub.close()
    await expect(ready).rejects.toThrow('The hub was closed')
  })
})

describe('publishes', () => {
  test('of one turn to a group are sent as one message of at most 64 KiB', async () => {
    const { hub, relay } = hubWith()
    await hub.ready
    const before = relay.published.length
    const results = Array.from({ length: 100 }, () => hub.publish('many', 'small'))
    for (let count = 0; count < 3; count++) results.push(hub.publish('large', 'x'.repeat(40_000)))
    expect((await Promise.all(results)).every(({ relayed }) => relayed)).toBe(true)
    expect(groupsOf(relay.published.slice(before))).toEqual([
      'hubwire:group:many',
      'hubwire:group:large',
      'hubwire:group:large',
      'hubwire:group:large',
    ])
  })
})

test('without a relay, requests cover this process only', async () => {
  const hub = new Hub()
  const member = new FakeMember()
  const group = hub.group('alone').add(member)
  await Promise.all([hub.ready, group.ready])
  expect(await hub.publish('alone', 'hello')).toEqual({ delivered: 1, skipped: 0, relayed: false })
  expect(await group.count()).toEqual({ total: 1, byNode: { local: 1 }, missing: [] })
  expect(await hub.nodes()).toMatchObject({ nodes: [{ isSelf: true, groups: 1, members: 1 }], missing: [] })
  await expect(group.closeEverywhere(1005)).rejects.toThrow(TypeError)
  expect(await group.closeEverywhere(4000)).toEqual({ closed: 1, byNode: { local: 1 }, missing: [] })
  expect('relay' in hub.stats()).toBe(false)
  await hub.close()
})

test.each([
  [{ relay: {} }, TypeError],
  [{ relay: new MemoryBroker().relay({ prefix: 1 as never }) }, TypeError],
  [{ relay: new MemoryBroker().relay({ plain: 'yes' as never }) }, TypeError],
  [{ relay: new MemoryBroker().relay({ maxPayload: 0 }) }, RangeError],
  [{ relay: new MemoryBroker().relay({ heartbeatInterval: Infinity }) }, RangeError],
  [{ relay: new MemoryBroker().relay({ requestTimeout: 0 }) }, RangeError],
])('new Hub() refuses relay options that cannot be used: %o', (options, error) => {
  expect(() => new Hub(options as never)).toThrow(error)
})
