import { type Gap, Hub, type RelayOptions } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { encodeBare, encodeHeartbeat, encodePositions, type SendingNode } from '#src/relay/control.js'
import { encodeBatch, Flag, Kind } from '#src/relay/envelope.js'
import { Peers } from '#src/relay/peers.js'
import { turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'

interface Node {
  readonly hub: Hub
  readonly relay: MemoryRelay
  readonly member: FakeMember
  readonly gaps: Gap[]
}

/** A hub with a member in each of these groups, which are ready. */
async function nodeOf(
  broker: MemoryBroker,
  groups: readonly string[] = ['news'],
  options: RelayOptions = {},
): Promise<Node> {
  const relay = broker.relay({ heartbeatInterval: 5, requestTimeout: 200, unsubscribeDelay: 0, ...options })
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  const gaps: Gap[] = []
  hub.on('gap', (gap) => gaps.push(gap))
  const member = new FakeMember()
  for (const name of groups) hub.group(name).add(member)
  await Promise.all([hub.ready, ...groups.map((name) => hub.group(name).ready)])
  return { hub, relay, member, gaps }
}

const forger: SendingNode = { id: 'f0f0f0f0f0f0f0f0', epoch: 1 }

function send(broker: MemoryBroker, first: number, text: string): void {
  const messages = [{ payload: Buffer.from(text), isBinary: false, compress: true }]
  const flags = first === 1 ? Flag.start : 0
  broker.publish('hubwire:group:news', encodeBatch(forger.id, forger.epoch, { first, flags, messages }))
}

function beat(broker: MemoryBroker, number: number, top: number, { previous = number - 1, epoch = 1 } = {}) {
  const entries = [{ key: 'news', base: 0, top, flags: 0 }]
  for (const part of encodeHeartbeat({ id: forger.id, epoch }, { number, previous, entries })) {
    broker.publish('hubwire:nodes', part)
  }
}

const heartbeatsOf = (relay: MemoryRelay): number =>
  relay.published.filter((channel) => channel === 'hubwire:nodes').length

describe('sequence numbers', () => {
  test('of a heartbeat from an earlier connection of its node change nothing', async () => {
    const broker = new MemoryBroker()
    const { member, gaps } = await nodeOf(broker)
    send(broker, 1, '1')
    beat(broker, 5, 1)
    beat(broker, 3, 100)
    send(broker, 2, '2')
    await until(() => member.delivered.length === 2)
    expect(gaps).toEqual([])
  })

  test('of a new epoch cause no gap in a process without groups', async () => {
    const broker = new MemoryBroker()
    const { hub, gaps } = await nodeOf(broker, [])
    beat(broker, 1, 10)
    beat(broker, 1, 20, { epoch: 2 })
    await until(() => hub.stats().relay!.nodes === 1)
    await hub.nodes()
    expect(gaps).toEqual([])
  })

  test('that a node has forgotten while this one was disconnected cause a gap of unknown length', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker, []), await nodeOf(broker)]
    await one.hub.publish('news', 'first')
    await until(() => other.member.delivered.length === 1)
    other.relay.cut()
    const before = heartbeatsOf(one.relay)
    await until(() => heartbeatsOf(one.relay) > before + 60)
    other.relay.connect()
    await until(() => other.gaps.length > 0)
    expect(other.gaps).toEqual([
      { cause: 'connection', groups: ['news'], node: undefined, missed: undefined },
    ])
    await one.hub.publish('news', 'begun anew')
    await until(() => other.member.delivered.length === 2)
    expect(other.gaps).toHaveLength(1)
  })

  test('in an answer that does not match a query change nothing', async () => {
    const broker = new MemoryBroker()
    const { hub, relay, member, gaps } = await nodeOf(broker, ['news'], { heartbeatInterval: 1000 })
    const { id } = (await hub.nodes()).nodes[0]!
    const answer = (recovery: number, tops: number[]): void => {
      broker.publish(`hubwire:node:${id}`, encodePositions(forger, { recovery, part: 0, tops }))
    }
    send(broker, 1, '1')
    answer(1, [100])
    await until(() => member.delivered.length === 1)
    relay.cut()
    relay.connect()
    await until(() => hub.stats().relay!.connected)
    answer(7, [100])
    answer(1, [100, 200])
    answer(1, [3])
    await until(() => gaps.length > 0)
    send(broker, 4, '4')
    await until(() => member.delivered.length === 2)
    expect(gaps).toEqual([{ cause: 'connection', groups: ['news'], node: undefined, missed: 2 }])
  })

  describe('of a node that does not reply', () => {
    /** Two nodes of which the second has been disconnected, has lost a message, and waits for the first. */
    async function waiting(heartbeatInterval: number): Promise<[Node, Node]> {
      const broker = new MemoryBroker()
      const one = await nodeOf(broker, [], { heartbeatInterval })
      const other = await nodeOf(broker, ['news', 'other'], { heartbeatInterval, recoveryTimeout: Infinity })
      await one.hub.publish('news', 'first')
      await until(() => other.member.delivered.length === 1)
      other.relay.cut()
      await one.hub.publish('news', 'lost')
      one.relay.stop()
      other.relay.connect()
      await until(() => other.hub.stats().relay!.connected)
      expect(other.gaps).toEqual([])
      return [one, other]
    }

    test('are awaited with recoveryTimeout: Infinity', async () => {
      const [one, other] = await waiting(1000)
      one.relay.resume()
      await until(() => other.gaps.length > 0)
      expect(other.gaps).toEqual([{ cause: 'connection', groups: ['news'], node: undefined, missed: 1 }])
    })

    test('are unknown if it has left before the reconnection is confirmed', async () => {
      const broker = new MemoryBroker()
      const one = await nodeOf(broker, [])
      const other = await nodeOf(broker, ['news'], { recoveryTimeout: Infinity })
      await one.hub.publish('news', 'first')
      await until(() => other.member.delivered.length === 1)
      other.relay.cut()
      await one.hub.publish('news', 'lost')
      const { publish } = other.relay
      other.relay.publish = async (name, payload) => {
        if (name.startsWith('hubwire:probe:')) {
          other.relay.publish = publish
          await one.hub.close()
        }
        return await publish.call(other.relay, name, payload)
      }
      other.relay.connect()
      await until(() => other.gaps.length > 0)
      expect(other.gaps).toEqual([
        { cause: 'connection', groups: ['news'], node: undefined, missed: undefined },
      ])
    })

    test('are unknown when it is forgotten, and a gap names all groups', async () => {
      const [, other] = await waiting(20)
      await until(() => other.gaps.length > 0)
      expect(other.gaps).toEqual([
        { cause: 'connection', groups: ['news', 'other'], node: undefined, missed: undefined },
      ])
      expect(other.hub.stats().relay!.nodes).toBe(0)
    })
  })
})

describe('a silent node', () => {
  test('counts as silent after 5 heartbeats and is forgotten after 60 in which others were heard', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const forgotten: string[] = []
    const peers = new Peers(1000, ({ id }) => forgotten.push(id))
    const peer = peers.heard('a', 1)
    // Nobody can be heard for an hour.
    vi.advanceTimersByTime(3_600_000)
    peers.heardSelf()
    peers.sweep()
    expect([peers.isAlive(peer), forgotten]).toEqual([true, []])
    const alive: boolean[] = []
    while (forgotten.length === 0) {
      vi.advanceTimersByTime(1000)
      peers.heardSelf()
      peers.sweep()
      alive.push(peers.isAlive(peer))
    }
    expect([alive.indexOf(false), alive.length]).toEqual([3, 60])
    expect(peers.size).toBe(0)
  })
})

describe('a message', () => {
  test('among thousands in one turn is delivered in order, over several turns', async () => {
    const broker = new MemoryBroker()
    const { member, gaps } = await nodeOf(broker)
    const texts = Array.from({ length: 10_000 }, (_, index) => String(index + 1))
    for (const [index, text] of texts.entries()) send(broker, index + 1, text)
    await until(() => member.delivered.length > 0)
    expect(member.delivered.length).toBeLessThan(texts.length / 10)
    await until(() => member.delivered.length === texts.length)
    expect(member.delivered).toEqual(texts)
    expect(gaps).toEqual([])
  })

  test("on a probe's channel is ignored unless it is the probe", async () => {
    const broker = new MemoryBroker()
    const { hub, relay } = await nodeOf(broker)
    const { publish } = relay
    let channel: string | undefined
    relay.publish = async (name, payload) => {
      if (!name.startsWith('hubwire:probe:')) return await publish.call(relay, name, payload)
      channel = name
      return 1
    }
    relay.cut()
    relay.connect()
    await until(() => channel !== undefined)
    broker.publish(channel!, Buffer.from('no probe'))
    broker.publish(channel!, encodeBare(Kind.probe, forger))
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(hub.stats().relay!.connected).toBe(false)
    relay.publish = publish
    relay.cut()
    relay.connect()
    await until(() => hub.stats().relay!.connected)
  })
})

describe('a group', () => {
  test('that loses its last member during its subscription is unsubscribed', async () => {
    const { hub, relay } = await nodeOf(new MemoryBroker(), [])
    const member = new FakeMember()
    relay.stop()
    hub.group('brief').add(member)
    await until(() => relay.commands.flat().includes('hubwire:group:brief'))
    member.end()
    relay.resume()
    await until(() => relay.subscribed.has('hubwire:group:brief'))
    await until(() => !relay.subscribed.has('hubwire:group:brief'))
  })

  test('that loses its last member before its subscription is refused is not subscribed again', async () => {
    const { hub, relay } = await nodeOf(new MemoryBroker(), [])
    const member = new FakeMember()
    relay.refused.add('hubwire:group:secret')
    relay.stop()
    hub.group('secret').add(member)
    const { ready } = hub.group('secret')
    await until(() => relay.commands.flat().includes('hubwire:group:secret'))
    member.end()
    await ready
    relay.resume()
    await hub.nodes()
    // It is not known any more: one that joins now asks anew.
    relay.refused.clear()
    hub.group('secret').add(new FakeMember())
    await hub.group('secret').ready
    expect(relay.commands.flat().filter((name) => name === 'hubwire:group:secret')).toHaveLength(2)
  })

  test('of a closed hub works locally, without the broker', async () => {
    const { hub, relay, member } = await nodeOf(new MemoryBroker())
    await hub.close()
    const late = new FakeMember()
    hub.group('late').add(late)
    expect(await hub.publish('late', 'here')).toEqual({ delivered: 1, skipped: 0, relayed: false })
    expect(hub.broadcast('news', 'here too')).toEqual({ delivered: 1, skipped: 0 })
    hub.leaveAll(late)
    expect([late.delivered, member.delivered]).toEqual([['here'], ['here too']])
    expect(relay.commands.flat()).not.toContain('hubwire:group:late')
  })
})

describe('a request', () => {
  test('without a connection covers this process only', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    await until(() => one.hub.stats().relay!.nodes === 1)
    const { id } = (await other.hub.nodes()).nodes[0]!
    one.relay.cut()
    expect(await one.hub.group('news').count()).toMatchObject({ total: 1, missing: [id] })
    expect(await one.hub.group('news').closeEverywhere(4000)).toMatchObject({ closed: 1, missing: [id] })
    expect([one.member.closedWith, other.member.closedWith]).toEqual([[[4000, undefined]], []])
  })

  test('through a relay that does not count receivers waits for the known nodes', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker, ['news'], { requestTimeout: Infinity }), await nodeOf(broker)]
    await until(() => one.hub.stats().relay!.nodes === 1)
    const { publish } = one.relay
    one.relay.publish = (async (channel: string, payload: Buffer) => {
      await publish.call(one.relay, channel, payload)
    }) as unknown as typeof publish
    expect(await one.hub.group('news').count()).toMatchObject({ total: 2, missing: [] })
    expect(other.gaps).toEqual([])
  })
})

describe('redisRelay()', () => {
  test('serves one hub', async () => {
    const relay = redisRelay(createClient({ socket: { path: '/nonexistent/redis.sock', tls: false } }))
    const hub = new Hub({ relay })
    onTestFinished(() => hub.close())
    expect(() => new Hub({ relay })).toThrow('A relay serves one hub')
  })

  test('rejects publishes and subscriptions before a hub has opened it', async () => {
    const relay = redisRelay(createClient())
    const notOpen = 'The relay is not open: give it to a hub'
    await expect(relay.publish('a', Buffer.from('a'))).rejects.toThrow(notOpen)
    await expect(relay.subscribe(['a'])).rejects.toThrow(notOpen)
    await expect(relay.unsubscribe(['a'])).rejects.toThrow(notOpen)
    await relay.close()
  })
})
