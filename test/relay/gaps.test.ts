import { once } from 'node:events'
import { type Gap, Hub, type RelayOptions } from 'hubwire'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { encodeBare, encodeHeartbeat } from '#src/relay/control.js'
import { encodeBatch, Flag, Kind } from '#src/relay/envelope.js'
import { turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'

const OPTIONS = { heartbeatInterval: 5, requestTimeout: 200 }

interface Node {
  readonly hub: Hub
  readonly relay: MemoryRelay
  readonly member: FakeMember
  readonly gaps: Gap[]
}

/** A hub with a member in the group `news`, which is ready. */
async function nodeOf(broker: MemoryBroker, options: RelayOptions = {}): Promise<Node> {
  const relay = broker.relay({ ...OPTIONS, ...options })
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  const member = new FakeMember()
  const gaps: Gap[] = []
  hub.on('gap', (gap) => gaps.push(gap))
  hub.group('news').add(member)
  await Promise.all([hub.ready, hub.group('news').ready])
  return { hub, relay, member, gaps }
}

/** A node that is none: it publishes whatever it likes. */
class Forger {
  readonly id: string
  readonly #broker: MemoryBroker

  constructor(broker: MemoryBroker, id = 'f0f0f0f0f0f0f0f0') {
    this.#broker = broker
    this.id = id
  }

  send(first: number, texts: readonly string[], { epoch = 1, flags = 0 } = {}): void {
    const messages = texts.map((text) => ({ payload: Buffer.from(text), isBinary: false, compress: true }))
    const start = first === 1 ? Flag.start : 0
    this.#broker.publish(
      'hubwire:group:news',
      encodeBatch(this.id, epoch, { first, flags: flags | start, messages }),
    )
  }

  beat(number: number, top: number, { base = 0, epoch = 1, flags = 0 } = {}): void {
    const entries = [{ key: 'news', base, top, flags }]
    for (const part of encodeHeartbeat({ id: this.id, epoch }, { number, previous: number - 1, entries })) {
      this.#broker.publish('hubwire:nodes', part)
    }
  }

  leave(): void {
    this.#broker.publish('hubwire:nodes', encodeBare(Kind.bye, { id: this.id, epoch: 1 }))
  }
}

async function forged(): Promise<Node & { forger: Forger; broker: MemoryBroker }> {
  const broker = new MemoryBroker()
  const node = await nodeOf(broker)
  return { ...node, broker, forger: new Forger(broker) }
}

afterEach(() => {
  vi.useRealTimers()
})

describe('a gap is reported', () => {
  test('for skipped sequence numbers', async () => {
    const { forger, member, gaps } = await forged()
    forger.send(1, ['1', '2'])
    forger.send(6, ['6'])
    await until(() => gaps.length > 0)
    expect(gaps).toEqual([{ cause: 'sequence', groups: ['news'], node: forger.id, missed: 3 }])
    expect(member.delivered).toEqual(['1', '2', '6'])
  })

  test('for a sequence that restarts before its end was announced', async () => {
    const { forger, member, gaps } = await forged()
    forger.send(1, ['1'])
    forger.send(1, ['again 1', 'again 2'])
    await until(() => gaps.length > 0)
    expect(gaps).toEqual([{ cause: 'sequence', groups: ['news'], node: forger.id, missed: undefined }])
    expect(member.delivered).toEqual(['1', 'again 1', 'again 2'])
  })

  test('for a new epoch, in which the sequence numbers restart', async () => {
    const { forger, member, gaps } = await forged()
    forger.send(1, ['1', '2', '3'])
    forger.send(1, ['new 1'], { epoch: 2 })
    forger.send(2, ['new 2'], { epoch: 2 })
    await until(() => member.delivered.length === 5)
    expect(gaps).toEqual([{ cause: 'epoch', groups: ['news'], node: forger.id, missed: undefined }])
    expect(member.delivered).toEqual(['1', '2', '3', 'new 1', 'new 2'])
  })

  test('for messages that a publisher dropped because too many were unanswered', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    const gap = once(other.hub, 'gap')
    one.relay.stop()
    // One broker message for each group, and one more than may be unanswered.
    const results = Array.from({ length: 1024 }, (_, index) => one.hub.publish(`group ${index}`, 'filling'))
    results.push(one.hub.publish('news', 'dropped'))
    expect(await results.at(-1)).toEqual({ delivered: 1, skipped: 0, relayed: false })
    one.relay.resume()
    await Promise.all(results)
    await one.hub.publish('news', 'next')
    expect(await gap).toEqual([
      { cause: 'queue', groups: ['news'], node: expect.any(String) as string, missed: 1 },
    ])
    await until(() => other.member.delivered.length > 0)
    expect(other.member.delivered).toEqual(['next'])
    expect(one.hub.stats().relay).toMatchObject({ published: 1025, dropped: 1 })
  })

  test('for messages that a publisher dropped because 8 MiB were unanswered', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    one.relay.stop()
    const text = 'x'.repeat(1024 * 1024)
    const results = Array.from({ length: 10 }, () => one.hub.publish('news', text))
    await until(() => one.hub.stats().relay!.dropped > 0)
    one.relay.resume()
    const relayed = (await Promise.all(results)).map((result) => result.relayed)
    expect(relayed).toEqual([...Array.from({ length: 8 }, () => true), false, false])
    // A heartbeat between the two tells of each of them.
    const missed = (): number => other.gaps.reduce((sum, gap) => sum + gap.missed!, 0)
    await until(() => missed() >= 2)
    expect(missed()).toBe(2)
    for (const gap of other.gaps) expect(gap).toMatchObject({ cause: 'queue', groups: ['news'] })
    expect(other.member.delivered).toHaveLength(8)
  })

  test('for messages for which this process was too slow, with their number', async () => {
    const { forger, member, gaps } = await forged()
    const text = 'x'.repeat(1024 * 1024)
    // All arrive in one turn, which handles one of them. 64 MiB may wait.
    for (let first = 1; first <= 70; first++) forger.send(first, [text])
    forger.beat(1, 70)
    await until(() => member.delivered.length + gaps.length === 70)
    const missed = gaps.reduce((sum, gap) => sum + gap.missed!, 0)
    expect(member.delivered).toHaveLength(64)
    expect(missed).toBe(6)
    for (const gap of gaps) expect(gap).toMatchObject({ cause: 'overrun', groups: ['news'], node: forger.id })
    forger.send(71, ['and on'])
    await until(() => member.delivered.length === 65)
    expect(gaps).toHaveLength(6)
  })

  test('for text from other programs for which this process was too slow', async () => {
    const broker = new MemoryBroker()
    const { member, gaps } = await nodeOf(broker, { plain: true })
    // The first is all that the turn handles. 64 of the others and the heartbeats that wait with them are less than 64 MiB.
    broker.publish('hubwire:plain:news', Buffer.alloc(1024 * 1024, 'x'))
    const text = Buffer.alloc(1024 * 1024 - 1000, 'x')
    for (let count = 0; count < 66; count++) broker.publish('hubwire:plain:news', text)
    await until(() => member.delivered.length + gaps.length === 67)
    expect(member.delivered).toHaveLength(65)
    expect(gaps).toEqual(
      [0, 1].map(() => ({ cause: 'overrun', groups: ['news'], node: undefined, missed: 1 })),
    )
  })

  test("for a loss that only a heartbeat reveals, with the publisher's cause", async () => {
    const { forger, gaps } = await forged()
    forger.beat(1, 0)
    forger.send(1, ['1'])
    forger.beat(2, 4, { flags: Flag.droppedOffline })
    await until(() => gaps.length > 0)
    forger.beat(3, 4, { base: 4, flags: Flag.final })
    forger.send(1, ['begun anew'])
    await turn()
    expect(gaps).toEqual([{ cause: 'connection', groups: ['news'], node: forger.id, missed: 3 }])
  })
})

describe('a forged envelope', () => {
  test('with this node’s own id is ignored', async () => {
    const { broker, hub, member, gaps } = await forged()
    const { nodes } = await hub.nodes()
    const forger = new Forger(broker, nodes[0]!.id)
    forger.send(1, ['not mine'])
    forger.beat(1, 2 ** 40)
    forger.leave()
    new Forger(broker).send(1, ['behind it'])
    await until(() => member.delivered.length > 0)
    expect(member.delivered).toEqual(['behind it'])
    expect(gaps).toEqual([])
    expect(hub.stats().relay!.nodes).toBe(1)
  })

  test('with a number near the maximum causes a gap, and the next heartbeat corrects the number', async () => {
    const { forger, member, gaps } = await forged()
    forger.send(1, ['1'])
    forger.send(2 ** 48 - 10, ['forged'])
    forger.send(2, ['taken for seen'])
    forger.beat(1, 2)
    forger.send(3, ['3'])
    await until(() => member.delivered.includes('3'))
    expect(member.delivered).toEqual(['1', 'forged', '3'])
    // The one that was taken for seen is covered too.
    expect(gaps).toEqual([
      { cause: 'sequence', groups: ['news'], node: forger.id, missed: 2 ** 48 - 12 },
      { cause: 'sequence', groups: ['news'], node: forger.id, missed: undefined },
    ])
  })

  test('with a forged node id counts towards the limit of 1,024 nodes', async () => {
    const { broker, hub, member } = await forged()
    for (let index = 0; index < 1100; index++) {
      new Forger(broker, index.toString(16).padStart(16, '0')).send(1, [`${index}`])
    }
    await until(() => member.delivered.length === 1100)
    expect(hub.stats().relay!.nodes).toBe(1024)
  })
})

describe('another node', () => {
  test('that leaves is forgotten at once', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    await until(() => one.hub.stats().relay!.nodes === 1)
    await other.hub.close()
    await until(() => one.hub.stats().relay!.nodes === 0)
    expect(await one.hub.group('news').count()).toMatchObject({ total: 1, missing: [] })
    expect(one.gaps).toEqual([])
  })

  test('that is silent is listed as missing, is forgotten after 60 heartbeats, and is known again when it is heard', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    await until(() => one.hub.stats().relay!.nodes === 1)
    const { id } = (await other.hub.nodes()).nodes[0]!
    other.relay.stop()
    expect(await one.hub.group('news').count()).toMatchObject({ total: 1, missing: [id] })
    await until(() => one.hub.stats().relay!.nodes === 0)
    expect(await one.hub.group('news').count()).toMatchObject({ total: 1, missing: [] })
    other.relay.resume()
    await until(() => one.hub.stats().relay!.nodes === 1)
    await one.hub.publish('news', 'welcome back')
    await until(() => other.member.delivered.length > 0)
    expect(other.member.delivered).toEqual(['welcome back'])
  })

  test('that sends a malformed reply does not affect the replies of others', async () => {
    const { broker, hub } = await forged()
    const other = await nodeOf(broker)
    new Forger(broker).send(1, ['a node that never answers'])
    expect(await hub.group('news').count()).toMatchObject({ total: 2, missing: ['f0f0f0f0f0f0f0f0'] })
    expect(other.gaps).toEqual([])
  })
})

describe('a broker that does not reply', () => {
  test('for more than 5 s is probed again, and the hub becomes ready when it replies', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const relay = new MemoryBroker().relay(OPTIONS)
    relay.stop()
    const hub = new Hub({ relay })
    onTestFinished(() => hub.close())
    const probes = (): string[] =>
      relay.commands.flat().filter((channel) => channel.startsWith('hubwire:probe:'))
    await until(() => probes().length === 1)
    vi.advanceTimersByTime(5000)
    await until(() => probes().length === 2)
    relay.resume()
    await hub.ready
    expect(hub.stats().relay!.connected).toBe(true)
    expect(new Set(probes()).size).toBe(2)
  })

  test('to the subscription of the node channels is asked again before the hub is connected', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const relay = new MemoryBroker().relay(OPTIONS)
    relay.refused.add('hubwire:nodes')
    const hub = new Hub({ relay })
    onTestFinished(() => hub.close())
    let isReady = false
    void hub.ready.then(() => (isReady = true))
    const asked = (): number => relay.commands.filter((channels) => channels.includes('hubwire:nodes')).length
    await until(() => asked() >= 3)
    expect(isReady).toBe(false)
    relay.refused.clear()
    await hub.ready
    expect(relay.subscribed.has('hubwire:nodes')).toBe(true)
  })
})
