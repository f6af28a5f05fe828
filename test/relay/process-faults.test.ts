import { Hub, type Relay } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { brokers } from '../support/brokers.js'
import { turn } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { RedisServer } from '../support/redis-server.js'
import { RelayWorker } from '../support/relay-worker.js'
import { requires } from '../support/requirements.js'

/** One group, of which each worker has this many members, twice. */
const MEMBERS = 5
/** As those of the workers. */
const OPTIONS = { prefix: 'hubwire:', heartbeatInterval: 100 }

async function workersAt(broker: string, count: number): Promise<RelayWorker[]> {
  const workers = Array.from(
    { length: count },
    () => new RelayWorker(broker, { members: MEMBERS, groups: 1 }),
  )
  await Promise.all(workers.map((worker) => worker.message()))
  return workers
}

async function hubWith(relay: Relay): Promise<Hub> {
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  await hub.ready
  return hub
}

/** The id of the node in a worker. */
async function idOf(hub: Hub, { pid }: RelayWorker): Promise<string> {
  for (;;) {
    const { nodes } = await hub.nodes()
    const node = nodes.find((one) => one.pid === pid)
    // On a busy machine it may not have answered in time.
    if (node !== undefined) return node.id
  }
}

for (const { title, requirement, start } of brokers) {
  describe(`a process on ${title}`, { timeout: 120_000, ...requires(requirement) }, () => {
    test('that is killed is missing at once, and later forgotten with its members; the others keep working', async () => {
      const broker = await start()
      const [killed, other] = (await workersAt(broker.name, 2)) as [RelayWorker, RelayWorker]
      const hub = await hubWith(await broker.relay(OPTIONS))
      const group = hub.group('group 0')
      const [killedId, otherId] = [await idOf(hub, killed), await idOf(hub, other)]
      expect(await group.count()).toMatchObject({ total: 4 * MEMBERS, missing: [] })
      await killed.kill()
      expect(await group.count()).toMatchObject({
        total: 2 * MEMBERS,
        byNode: { [otherId]: 2 * MEMBERS },
        missing: [killedId],
      })
      const { nodes, missing } = await hub.nodes()
      expect(nodes.map(({ pid }) => pid)).toEqual([process.pid, other.pid])
      expect(missing).toEqual([killedId])
      expect(await group.publish('still here')).toMatchObject({ relayed: true })
      expect(await other.report(2 * MEMBERS)).toMatchObject({ gaps: [], count: 2 * MEMBERS })
      while (hub.stats().relay!.nodes > 1) await turn()
      expect(await group.count()).toMatchObject({ total: 2 * MEMBERS, missing: [] })
    })

    test('that is suspended is missing, and receives everything when it resumes, without a gap', async () => {
      const broker = await start()
      const [stopped] = (await workersAt(broker.name, 1)) as [RelayWorker]
      const hub = await hubWith(await broker.relay(OPTIONS))
      const here = new FakeMember()
      const group = hub.group('group 0').add(here)
      await group.ready
      const id = await idOf(hub, stopped)
      stopped.signal('SIGSTOP')
      expect(await group.count()).toMatchObject({ total: 1, missing: [id] })
      const texts = Array.from({ length: 50 }, (_, index) => `meanwhile ${index}`)
      const results = await Promise.all(texts.map((text) => group.publish(text)))
      expect(results.every(({ relayed, delivered }) => relayed && delivered === 1)).toBe(true)
      expect(here.delivered).toEqual(texts)
      stopped.signal('SIGCONT')
      const { gaps, received } = await stopped.report(2 * MEMBERS * texts.length)
      expect(gaps).toEqual([])
      // Each of them has two members in the group, and reports the second.
      for (const member of received) for (const [, got] of member) expect(got).toEqual(texts)
      expect(await group.count()).toMatchObject({ total: 1 + 2 * MEMBERS, missing: [] })
    })
  })
}

describe('a process', { timeout: 120_000, ...requires('redis-server') }, () => {
  test('that Redis disconnects because it does not read reports a gap, and recovers automatically', async () => {
    // 4 MiB may wait for a subscriber; 64 KiB messages for 2.5 s are far more.
    const limits = ['--client-output-buffer-limit', 'pubsub', '4mb', '4mb', '60']
    const { path } = await RedisServer.start(...limits)
    const [blocked] = (await workersAt(path, 1)) as [RelayWorker]
    const client = createClient({ socket: { path, tls: false } })
    const hub = await hubWith(redisRelay(client, OPTIONS))
    const here = new FakeMember()
    const group = hub.group('group 0').add(here)
    await group.ready
    await blocked.block(2500)
    const text = 'x'.repeat(64 * 1024)
    const count = 400
    for (let sent = 0; sent < count; sent += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => group.publish(`${sent + index} ${text}`)))
    }
    expect(here.delivered).toHaveLength(count)
    let lost = 0
    let numbers: number[] = []
    while (numbers.length + lost < count) {
      const { gaps, received } = await blocked.report(2 * MEMBERS * count)
      lost = gaps.reduce((sum, { missed }) => sum + missed!, 0)
      numbers = received[0]![0]![1].map((message) => Number(message.split(' ')[0]))
      for (const { groups } of gaps) expect(groups).toEqual(['group 0'])
    }
    expect(lost).toBeGreaterThan(0)
    expect(numbers.length + lost).toBe(count)
    // None twice, and in order.
    expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other))
    expect(await group.publish('and on')).toMatchObject({ relayed: true })
    let last: string | undefined
    while (last !== 'and on') last = (await blocked.report(0)).received[0]![0]![1].at(-1)
  })
})
