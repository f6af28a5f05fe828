import { type Gap, Hub, type RelayOptions } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Channels } from '#src/relay/channels.js'
import { encodeQuery, encodeRequest } from '#src/relay/control.js'
import { Counters } from '#src/relay/counters.js'
import { decodeBatch, encodeBatch } from '#src/relay/envelope.js'
import { Publisher } from '#src/relay/publisher.js'
import { turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'
import { uncaught } from '../support/uncaught.js'

interface Node {
  readonly hub: Hub
  readonly relay: MemoryRelay
  readonly gaps: Gap[]
}

function nodeOf(broker: MemoryBroker, options: RelayOptions = {}): Node {
  const relay = broker.relay({ heartbeatInterval: 5, requestTimeout: 200, recoveryTimeout: 200, ...options })
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  const gaps: Gap[] = []
  hub.on('gap', (gap) => gaps.push(gap))
  return { hub, relay, gaps }
}

const has = (relay: MemoryRelay, name: string): boolean => relay.subscribed.has(`hubwire:group:${name}`)

describe('a connection that is lost', () => {
  test('while groups are being subscribed is followed by subscriptions to those that still have members', async () => {
    const { hub, relay } = nodeOf(new MemoryBroker())
    await hub.ready
    const [stays, leaves] = [new FakeMember(), new FakeMember()]
    hub.group('stays').add(stays)
    hub.group('leaves').add(leaves)
    await until(() => relay.commands.flat().includes('hubwire:group:stays'))
    leaves.end()
    relay.cut()
    const { ready } = hub.group('stays')
    relay.connect()
    await ready
    expect([has(relay, 'stays'), has(relay, 'leaves')]).toEqual([true, false])
  })

  test('while a group is being unsubscribed is followed by its unsubscription or its reuse', async () => {
    const { hub, relay } = nodeOf(new MemoryBroker(), { unsubscribeDelay: 0 })
    await hub.ready
    const member = new FakeMember()
    for (const name of ['ends', 'returns']) hub.group(name).add(member)
    await Promise.all(['ends', 'returns'].map((name) => hub.group(name).ready))
    let ended = 0
    const { unsubscribe } = relay
    relay.unsubscribe = (channels) => {
      ended++
      return unsubscribe.call(relay, channels)
    }
    relay.stop()
    hub.leaveAll(member)
    await until(() => ended > 0)
    hub.group('returns').add(member)
    relay.cut()
    relay.resume()
    relay.connect()
    await hub.group('returns').ready
    await until(() => !has(relay, 'ends'))
    expect(has(relay, 'returns')).toBe(true)
  })

  test('during a recovery is followed by another query', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [nodeOf(broker), nodeOf(broker)]
    const member = new FakeMember()
    other.hub.group('news').add(member)
    await Promise.all([one.hub.ready, other.hub.ready, other.hub.group('news').ready])
    await one.hub.publish('news', 'first')
    await until(() => member.delivered.length === 1)
    other.relay.cut()
    expect(await one.hub.publish('news', 'missed')).toMatchObject({ relayed: true })
    one.relay.stop()
    other.relay.connect()
    await until(() => other.hub.stats().relay!.connected)
    other.relay.cut()
    other.relay.connect()
    await until(() => other.hub.stats().relay!.connected)
    one.relay.resume()
    await until(() => other.gaps.length > 0)
    expect(other.gaps).toMatchObject([{ cause: 'connection', groups: ['news'] }])
    await one.hub.publish('news', 'last')
    await until(() => member.delivered.length === 2)
    expect(member.delivered).toEqual(['first', 'last'])
  })

  describe('when messages arrive before the reconnection is confirmed', () => {
    // How many messages are missing of a node that had sent none before is known if two heartbeats prove it.
    const oneOrUnknown = [1, undefined]

    /** Two nodes of which the second has lost a message, and has its probe held back since it is connected again. */
    async function reconnecting(before: readonly string[]): Promise<[Node, Node, FakeMember, () => void]> {
      const broker = new MemoryBroker()
      const [one, other] = [nodeOf(broker), nodeOf(broker)]
      const member = new FakeMember()
      other.hub.group('news').add(member)
      await Promise.all([one.hub.ready, other.hub.ready, other.hub.group('news').ready])
      for (const text of before) await one.hub.publish('news', text)
      // Only of a node that is known can something be missing.
      await until(() => member.delivered.length === before.length && other.hub.stats().relay!.nodes === 1)
      const { subscribe } = other.relay
      let release = (): void => undefined
      const held = new Promise<void>((resolve) => (release = resolve))
      other.relay.subscribe = async (channels) => {
        if (channels.some((channel) => channel.startsWith('hubwire:probe:'))) await held
        return await subscribe.call(other.relay, channels)
      }
      other.relay.cut('receiving')
      expect(await one.hub.publish('news', 'lost')).toMatchObject({ relayed: true })
      other.relay.connect()
      return [one, other, member, release]
    }

    test.each([
      ['a loss that a message reveals', ['before'], [1]],
      ['the lost first message of a node', [], oneOrUnknown],
    ])('%s is included in the gap of the disconnection', async (_, before, missed) => {
      const [one, other, member, release] = await reconnecting(before)
      await one.hub.publish('news', 'seen')
      await until(() => member.delivered.includes('seen'))
      expect([other.gaps, other.hub.stats().relay!.connected]).toEqual([[], false])
      release()
      await until(() => other.gaps.length > 0)
      await one.hub.publish('news', 'after')
      await until(() => member.delivered.includes('after'))
      expect(other.gaps).toMatchObject([{ cause: 'connection', groups: ['news'], node: undefined }])
      expect(missed).toContain(other.gaps[0]!.missed)
      expect(member.delivered).toEqual([...before, 'seen', 'after'])
    })

    test.each([
      ['a loss that a heartbeat reveals', ['before'], [1]],
      ['a first message that only a heartbeat reveals', [], oneOrUnknown],
    ])('%s is also included in it', async (_, before, missed) => {
      const [one, other, member, release] = await reconnecting(before)
      const beats = one.relay.published.filter((channel) => channel === 'hubwire:nodes').length
      await until(
        () => one.relay.published.filter((channel) => channel === 'hubwire:nodes').length > beats + 3,
      )
      expect(other.gaps).toEqual([])
      release()
      await until(() => other.gaps.length > 0)
      expect(other.gaps).toMatchObject([{ cause: 'connection', groups: ['news'], node: undefined }])
      expect(missed).toContain(other.gaps[0]!.missed)
      expect(member.delivered).toEqual(before)
    })

    test('reports no loss for a group that was joined in the meantime', async () => {
      const [one, other, , release] = await reconnecting(['before'])
      await one.hub.publish('new', 'before it is joined')
      const member = new FakeMember()
      other.hub.group('new').add(member)
      await until(() => has(other.relay, 'new'))
      await one.hub.publish('new', 'first')
      await until(() => member.delivered.length > 0)
      release()
      await until(() => other.gaps.length > 0)
      expect(other.gaps).toEqual([{ cause: 'connection', groups: ['news'], node: undefined, missed: 1 }])
      expect(member.delivered).toEqual(['first'])
    })
  })

  test('is a gap of unknown length in all groups if another node does not answer afterwards', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [nodeOf(broker), nodeOf(broker)]
    const names = ['a', 'b', 'c']
    for (const name of names) other.hub.group(name).add(new FakeMember())
    await Promise.all([one.hub.ready, other.hub.ready, ...names.map((name) => other.hub.group(name).ready)])
    await one.hub.publish('a', 'first')
    await until(() => other.hub.stats().relay!.nodes === 1)
    other.relay.cut()
    one.relay.stop()
    other.relay.connect()
    await until(() => other.gaps.length > 0)
    expect(other.gaps).toEqual([{ cause: 'connection', groups: names, node: undefined, missed: undefined }])
    one.relay.resume()
  })

  test('in only one direction stops both until a probe has returned', async () => {
    const { hub, relay } = nodeOf(new MemoryBroker())
    await hub.ready
    relay.cut('publishing')
    expect(await hub.publish('news', 'local')).toMatchObject({ relayed: false })
    relay.connect()
    relay.cut('receiving')
    await until(() => !hub.stats().relay!.connected)
    expect(await hub.publish('news', 'still goes out')).toMatchObject({ relayed: true })
    relay.connect()
    await until(() => hub.stats().relay!.connected)
  })
})

describe('subscriptions that the broker refuses', () => {
  test('to end are kept and reused when a member joins again', async () => {
    const { hub, relay } = nodeOf(new MemoryBroker(), { unsubscribeDelay: 0 })
    await hub.ready
    const member = new FakeMember()
    const group = hub.group('news').add(member)
    await group.ready
    let refused = 0
    relay.unsubscribe = async () => {
      refused++
      await turn()
      throw new Error('refused')
    }
    group.delete(member)
    await until(() => refused > 1)
    group.add(member)
    await group.ready
    expect(has(relay, 'news')).toBe(true)
  })

  test('to begin reject with an Error even if the reason is not one', async () => {
    const { hub, relay } = nodeOf(new MemoryBroker())
    await hub.ready
    const { subscribe } = relay
    relay.subscribe = async (channels) => {
      if (!channels.includes('hubwire:group:odd')) return await subscribe.call(relay, channels)
      // A relay that somebody else has written.
      AbortSignal.abort('no Error').throwIfAborted()
      return undefined
    }
    const member = new FakeMember()
    hub.group('odd').add(member)
    await expect(hub.group('odd').ready).rejects.toThrow(new Error('no Error'))
    hub.group('odd').delete(member)
    expect(hub.stats().groups).toBe(0)
  })
})

describe('a request of another node', () => {
  const sender = { id: 'f0f0f0f0f0f0f0f0', epoch: 1 }

  test('to close with an invalid code is refused and closes no member', async () => {
    const broker = new MemoryBroker()
    const { hub } = nodeOf(broker)
    const member = new FakeMember()
    hub.group('news').add(member)
    await Promise.all([hub.ready, hub.group('news').ready])
    const { refused } = hub.stats().relay!
    const question = { ask: 'close', key: 'news', code: 1005, reason: '' } as const
    broker.publish('hubwire:nodes', encodeRequest(sender, { id: 1, question }))
    await until(() => hub.stats().relay!.refused === refused + 1)
    expect(member.closedWith).toEqual([])
  })

  test('for a group without members here counts 0', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [nodeOf(broker), nodeOf(broker)]
    one.hub.group('here').add(new FakeMember())
    await Promise.all([one.hub.ready, other.hub.ready])
    expect(Object.values((await one.hub.group('here').count()).byNode)).toEqual([1, 0])
    expect(Object.values((await one.hub.group('here').closeEverywhere()).byNode)).toEqual([1, 0])
    await one.hub.group('here').closeEverywhere(4000)
  })

  test('closes with the default code, even if another member fails to close', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [nodeOf(broker), nodeOf(broker)]
    const [broken, sound] = [new FakeMember(), new FakeMember()]
    broken.close = () => {
      throw new Error('it cannot be closed')
    }
    const failures: unknown[] = []
    other.hub.on('error', (error, member) => failures.push([error.message, member === broken]))
    other.hub.group('news').add(broken).add(sound)
    await Promise.all([one.hub.ready, other.hub.ready, other.hub.group('news').ready])
    expect(await one.hub.group('news').closeEverywhere()).toMatchObject({ closed: 2, missing: [] })
    expect(failures).toEqual([['it cannot be closed', true]])
    expect(sound.closedWith).toEqual([[undefined, '']])
  })

  test('for sequence numbers is answered with 0 for groups to which it does not publish', async () => {
    const broker = new MemoryBroker()
    const { hub, relay } = nodeOf(broker)
    await hub.ready
    broker.publish('hubwire:nodes', encodeQuery(sender, { recovery: 1, part: 0, keys: ['a', 'b'] }))
    await until(() => relay.published.includes(`hubwire:node:${sender.id}`))
    expect(hub.stats().relay!.nodes).toBe(1)
  })
})

describe('a message', () => {
  test('is dropped if the group has lost its last member', async () => {
    const broker = new MemoryBroker()
    const { hub, relay } = nodeOf(broker, { plain: true, unsubscribeDelay: Infinity })
    await hub.ready
    const message = { payload: Buffer.from('late'), isBinary: false, compress: true }
    const late = encodeBatch('f0f0f0f0f0f0f0f0', 1, { first: 2, flags: 0, messages: [message] })
    // Nobody has subscribed to this group by the hub.
    await relay.subscribe(['hubwire:group:left', 'hubwire:plain:left', 'hubwire:unknown'])
    for (const channel of ['hubwire:group:left', 'hubwire:plain:left', 'hubwire:unknown']) {
      broker.publish(channel, late)
    }
    await hub.nodes()
    expect(hub.stats().relay).toMatchObject({ received: 0, gaps: 0 })
    // Its last member has left, and it is still subscribed to.
    const member = new FakeMember()
    const group = hub.group('quiet').add(member)
    await group.ready
    group.delete(member)
    broker.publish('hubwire:plain:quiet', Buffer.from('late'))
    await until(() => hub.stats().relay!.received === 1)
    expect(member.delivered).toEqual([])
  })

  test('longer than maxPayload or malformed is refused', async () => {
    const broker = new MemoryBroker()
    const { hub } = nodeOf(broker, { maxPayload: 10 })
    const member = new FakeMember()
    hub.group('news').add(member)
    await Promise.all([hub.ready, hub.group('news').ready])
    const texts = [Buffer.alloc(11, 'a'), Buffer.from([0xc0]), Buffer.from('fits')]
    const messages = texts.map((payload) => ({ payload, isBinary: false, compress: true }))
    broker.publish('hubwire:group:news', encodeBatch('f0f0f0f0f0f0f0f0', 1, { first: 2, flags: 0, messages }))
    await until(() => member.delivered.length > 0)
    expect(member.delivered).toEqual(['fits'])
    expect(hub.stats().relay).toMatchObject({ received: 1, refused: 2 })
  })
})

test("an error thrown by a 'gap' listener becomes an uncaught exception, and delivery continues", async () => {
  const broker = new MemoryBroker()
  const { hub } = nodeOf(broker)
  const member = new FakeMember()
  hub.group('news').add(member)
  await Promise.all([hub.ready, hub.group('news').ready])
  hub.on('gap', () => {
    throw new Error('thrown by a listener')
  })
  const errors = uncaught()
  const message = (text: string) => [{ payload: Buffer.from(text), isBinary: false, compress: true }]
  const node = 'f0f0f0f0f0f0f0f0'
  broker.publish('hubwire:group:news', encodeBatch(node, 1, { first: 2, flags: 0, messages: message('a') }))
  broker.publish('hubwire:group:news', encodeBatch(node, 1, { first: 9, flags: 0, messages: message('b') }))
  await until(() => member.delivered.length === 2 && errors.length > 0)
  expect(errors).toEqual([new Error('thrown by a listener')])
  expect(member.delivered).toEqual(['a', 'b'])
})

describe('a publisher', () => {
  const text = { payload: Buffer.from('x'), isBinary: false, compress: true }

  function publisherOf(publish: (payload: Buffer) => Promise<number>): Publisher {
    const relay = new MemoryBroker().relay()
    relay.publish = (_, payload) => publish(payload)
    const publisher = new Publisher('0123456789abcdef', relay, new Channels(''), new Counters())
    publisher.connected()
    return publisher
  }

  test('reports relayed: false once for messages without a reply for 10 s', async () => {
    let answer = (_: number): void => undefined
    const publisher = publisherOf(() => new Promise((resolve) => (answer = resolve)))
    const told: boolean[] = []
    publisher.publish('a', text, (relayed) => told.push(relayed))
    publisher.flush()
    const now = performance.now()
    publisher.sweep(now + 9000)
    expect(told).toEqual([])
    publisher.sweep(now + 11_000)
    expect(told).toEqual([false])
    expect(publisher.unanswered).toBe(1)
    answer(1)
    await publisher.answered()
    expect(told).toEqual([false])
  })

  test('reports relayed: false for messages that the broker refuses, and flags the next one', async () => {
    const flags: number[] = []
    const publisher = publisherOf((payload) => {
      flags.push(decodeBatch(payload)!.flags)
      return flags.length === 1 ? Promise.reject(new Error('refused')) : Promise.resolve(1)
    })
    const told: boolean[] = []
    for (let count = 0; count < 2; count++) {
      publisher.publish('a', text, (relayed) => told.push(relayed))
      publisher.flush()
      await publisher.answered()
    }
    expect(told).toEqual([false, true])
    expect(flags).toEqual([1, 4])
  })

  test('puts at most 65,535 messages into one batch', async () => {
    const counts: number[] = []
    const publisher = publisherOf((payload) => {
      counts.push(decodeBatch(payload)!.count)
      return Promise.resolve(1)
    })
    const empty = { payload: Buffer.alloc(0), isBinary: true, compress: false }
    for (let count = 0; count < 65_536; count++) publisher.publish('a', empty)
    publisher.flush()
    await publisher.answered()
    expect(counts).toEqual([65_535, 1])
  })

  test('reports relayed: false for batched and unanswered messages when the connection is lost', () => {
    const publisher = publisherOf(() => new Promise(() => undefined))
    const told: boolean[] = []
    publisher.publish('a', text, (relayed) => told.push(relayed))
    publisher.flush()
    publisher.publish('a', text, (relayed) => told.push(relayed))
    publisher.disconnected()
    publisher.publish('a', text, (relayed) => told.push(relayed))
    expect(told).toEqual([false, false, false])
    expect(publisher.counts).toEqual({ published: 1, dropped: 2 })
  })
})
