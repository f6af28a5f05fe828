import { type Gap, Hub, type HistoryOptions, type JoinResult, type RelayOptions } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { settled, turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'
import { warningWith } from '../support/warning.js'

const encode: HistoryOptions['encode'] = (data, { offset }) => `${offset} ${String(data)}`
const CHANNEL = 'hubwire:group:news'

interface Node {
  readonly hub: Hub
  readonly relay: MemoryRelay
  readonly gaps: Gap[]
  readonly calls: number[]
  /** Joins the group, or comes back to it. */
  join(member: FakeMember, since?: unknown): Promise<JoinResult>
  publish(...texts: string[]): Promise<boolean[]>
}

async function nodeOf(
  broker: MemoryBroker,
  options: Partial<HistoryOptions> & RelayOptions = {},
): Promise<Node> {
  const { size = 100, ttl = 60_000, ...rest } = options
  const relay = broker.relay({ heartbeatInterval: 5, requestTimeout: 200, unsubscribeDelay: 0, ...rest })
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  const gaps: Gap[] = []
  const calls: number[] = []
  hub.on('gap', (gap) => gaps.push(gap))
  const group = hub.group('news', {
    history: {
      size,
      ttl,
      encode(data, position) {
        calls.push(position.offset)
        return (options.encode ?? encode)(data, position)
      },
    },
  })
  await hub.ready
  return {
    hub,
    relay,
    gaps,
    calls,
    join: (member, since) => group.add(member, { since }),
    publish: async (...texts) => {
      const results = await Promise.all(texts.map((text) => group.publish(text)))
      return results.map(({ relayed }) => relayed)
    },
  }
}

/** Messages as their members get them. */
const messages = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index} ${from + index}`)

const texts = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

const up = (node: Node): Promise<void> => until(() => node.hub.stats().relay!.connected)

describe('a connection that is lost', () => {
  test('loses nothing: messages published in the meantime are read after the reconnection', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    const member = new FakeMember()
    await other.join(member)
    await one.publish('1', '2')
    await until(() => member.delivered.length === 2)
    other.relay.cut()
    expect(await one.publish(...texts(3, 12))).toEqual(texts(3, 12).map(() => true))
    other.relay.connect()
    await until(() => member.delivered.length === 12)
    await one.publish('13')
    await until(() => member.delivered.length === 13)
    expect(member.delivered).toEqual(messages(1, 13))
    expect([one.gaps, other.gaps]).toEqual([[], []])
    expect(other.calls).toEqual(texts(1, 13).map(Number))
  })

  test('causes a gap with the number of messages if the history is too short, and the rest arrives', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker, { size: 4 }), await nodeOf(broker, { size: 4 })]
    const member = new FakeMember()
    await other.join(member)
    await one.publish('1')
    await until(() => member.delivered.length === 1)
    other.relay.cut()
    await one.publish(...texts(2, 10))
    other.relay.connect()
    await until(() => member.delivered.length === 5)
    await until(() => other.gaps.length > 0)
    expect(other.gaps).toEqual([{ cause: 'connection', groups: ['news'], node: undefined, missed: 5 }])
    expect(member.delivered).toEqual([...messages(1, 1), ...messages(7, 10)])
    expect(other.hub.stats().relay!.gaps).toBe(1)
  })

  test('causes a gap if the broker has lost its data, and members get new messages', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    const member = new FakeMember()
    const { position } = await other.join(member)
    await one.publish('1', '2')
    await until(() => member.delivered.length === 2)
    for (const { relay } of [one, other]) relay.cut()
    broker.histories.clear()
    for (const { relay } of [one, other]) relay.connect()
    await Promise.all([up(one), up(other)])
    await until(() => other.gaps.length > 0)
    expect(other.gaps).toEqual([
      { cause: 'connection', groups: ['news'], node: undefined, missed: undefined },
    ])
    await one.publish('new')
    await until(() => member.delivered.length === 3)
    expect(member.delivered).toEqual([...messages(1, 2), '1 new'])
    const back = new FakeMember()
    expect(await one.join(back, position)).toMatchObject({ recovered: false, position: { offset: 1 } })
  })

  test('of a publisher makes publishing fail, even locally, and keeps a join pending', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    const [member, waiting] = [new FakeMember(), new FakeMember()]
    const { position } = await node.join(member)
    await node.publish('1')
    node.relay.cut('publishing')
    expect(await node.hub.publish('news', 'lost')).toEqual({ delivered: 0, skipped: 0, relayed: false })
    expect(node.hub.stats().relay!.dropped).toBe(1)
    const joined = node.join(waiting, position)
    await settled()
    expect([member.delivered, waiting.delivered]).toEqual([['1 1'], []])
    node.relay.connect()
    expect(await joined).toMatchObject({ recovered: true, position: { offset: 1 } })
    await node.publish('2')
    for (const { delivered } of [member, waiting]) expect(delivered).toEqual(messages(1, 2))
    expect(node.gaps).toEqual([])
  })

  test('during a publish resolves it with relayed: false, although the message may arrive', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    const member = new FakeMember()
    await node.join(member)
    const unanswered = node.publish('1')
    await turn()
    node.relay.cut()
    expect(await unanswered).toEqual([false])
    node.relay.connect()
    await up(node)
    await node.publish('2')
    expect(member.delivered.at(-1)).toMatch(/ 2$/)
  })

  test('of a subscriber does not delay publishes until their local delivery', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    const member = new FakeMember()
    await node.join(member)
    node.relay.cut('receiving')
    expect(await node.hub.publish('news', '1')).toMatchObject({ delivered: 0, relayed: true })
    node.relay.connect()
    await until(() => member.delivered.length === 1)
    expect(member.delivered).toEqual(messages(1, 1))
  })

  test('resolves a join with recovered: false if its member leaves or closes meanwhile', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    const staying = new FakeMember()
    await node.join(staying)
    node.relay.cut()
    const [closing, leaving, twice] = [new FakeMember(), new FakeMember(), new FakeMember()]
    const lost = [node.join(closing), node.join(leaving), node.join(twice)]
    const kept = node.join(twice)
    closing.end()
    node.hub.leaveAll(leaving)
    expect(await lost[0]).toEqual({ recovered: false, position: undefined })
    expect(await lost[2]).toEqual({ recovered: false, position: undefined })
    node.relay.connect()
    expect(await lost[1]).toEqual({ recovered: false, position: undefined })
    expect(await kept).toMatchObject({ position: { offset: 0 } })
    expect([closing, leaving, twice].map(({ watchers }) => watchers)).toEqual([0, 0, 1])
  })

  test('resolves all joins of a group with recovered: false if its last member leaves', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    node.relay.cut()
    const member = new FakeMember()
    const joined = node.join(member)
    node.hub.leaveAll(member)
    expect(await joined).toEqual({ recovered: false, position: undefined })
  })
})

describe('a message that the broker loses in transit', () => {
  test('is read when the next one arrives, and all are delivered in order', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    const [there, back] = [new FakeMember(), new FakeMember()]
    await other.join(there)
    const { position } = await one.join(back)
    one.relay.losingEntries = 2
    await one.publish(...texts(1, 5))
    await until(() => there.delivered.length === 5)
    expect(there.delivered).toEqual(messages(1, 5))
    await until(() => back.delivered.length === 5)
    expect(other.gaps).toEqual([])
    const again = new FakeMember()
    expect(await one.join(again, position)).toMatchObject({ recovered: true })
    expect(again.delivered).toEqual(messages(1, 5))
  })

  test('is read after a second if it is the last, because its publisher knows its position', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    const member = new FakeMember()
    await node.join(member)
    node.relay.losingEntries = 1
    expect(await node.hub.publish('news', '1')).toMatchObject({ delivered: 1, position: { offset: 1 } })
    expect(member.delivered).toEqual(['1 1'])
  })

  test('does not block the publisher if the history no longer has it', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker, { size: 1 })
    const member = new FakeMember()
    await node.join(member)
    node.relay.losingEntries = 1
    const results = await Promise.all(['1', '2'].map((text) => node.hub.publish('news', text)))
    expect(results).toMatchObject([
      { delivered: 0, relayed: true },
      { delivered: 1, relayed: true },
    ])
    expect(member.delivered).toEqual(['2 2'])
    await until(() => node.gaps.length > 0)
    expect(node.gaps).toEqual([{ cause: 'sequence', groups: ['news'], node: undefined, missed: 1 }])
  })
})

describe('a broker that restores an older state', () => {
  test('begins a new epoch, with a gap, in which old positions are not valid', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    const member = new FakeMember()
    await other.join(member)
    await one.publish(...texts(1, 5))
    await until(() => member.delivered.length === 5)
    const { position } = await one.join(new FakeMember())
    broker.histories.fallBack(CHANNEL, 2)
    // A node that knows less than what was lost cannot tell.
    const third = await nodeOf(broker)
    await third.publish('four')
    await until(() => other.gaps.length > 0)
    await third.publish('next')
    await until(() => member.delivered.at(-1)!.endsWith(' next'))
    expect(await one.join(new FakeMember(), position)).toMatchObject({ recovered: false })
    expect(other.gaps[0]).toMatchObject({ cause: 'sequence', groups: ['news'] })
  })
})

describe('joins', () => {
  test('of many members at once take few reads, and each member gets what it missed', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    const { position } = await one.join(new FakeMember())
    await one.publish(...texts(1, 20))
    broker.histories.pageSize = 512
    let reads = 0
    const { read } = other.relay.history
    other.relay.history.read = (...values) => {
      reads++
      return read(...values)
    }
    const members = Array.from({ length: 200 }, () => new FakeMember())
    const results = await Promise.all(
      members.map((member, index) => other.join(member, { ...position!, offset: index % 21 })),
    )
    expect(new Set(results.map((result) => JSON.stringify(result)))).toEqual(
      new Set([JSON.stringify({ recovered: true, position: { epoch: position!.epoch, offset: 20 } })]),
    )
    for (const [index, { delivered }] of members.entries())
      expect(delivered).toEqual(messages((index % 21) + 1, 20))
    expect(reads).toBeLessThan(5)
    expect(other.calls).toEqual(texts(1, 20).map(Number))
  })

  test('during publishes lose and duplicate no message', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker, { size: 1000 }), await nodeOf(broker, { size: 1000 })]
    const start = await one.join(new FakeMember())
    const members: FakeMember[] = []
    const joins: Promise<JoinResult>[] = []
    const published: Promise<boolean[]>[] = []
    for (let count = 1; count <= 300; count++) {
      published.push(one.publish(String(count)))
      if (count % 10 === 0) {
        const member = new FakeMember()
        members.push(member)
        joins.push(other.join(member, start.position))
      }
      await turn()
    }
    expect((await Promise.all(published)).flat()).toEqual(texts(1, 300).map(() => true))
    expect(await Promise.all(joins)).toMatchObject(members.map(() => ({ recovered: true })))
    await until(() => members.every(({ delivered }) => delivered.length >= 300))
    for (const { delivered } of members) expect(delivered).toEqual(messages(1, 300))
    expect(other.gaps).toEqual([])
  })

  test('of a member that is already in the group replay again what follows since', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    const member = new FakeMember()
    const { position } = await node.join(member)
    await node.publish('1', '2')
    const { epoch } = position!
    expect(await node.join(member, { epoch, offset: 1 })).toMatchObject({ recovered: true })
    await node.publish('3')
    expect(member.delivered).toEqual(['1 1', '2 2', '2 2', '3 3'])
  })

  test('without since get what is published from then on, even the first one', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    await node.publish('1')
    const member = new FakeMember()
    node.hub.group('news').add(member)
    expect(await node.hub.publish('news', '2')).toMatchObject({ delivered: 1, position: { offset: 2 } })
    expect(member.delivered).toEqual(['2 2'])
  })

  test('reject when the hub is closed, and add no member', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    node.relay.cut()
    const joined = node.join(new FakeMember())
    const failed = expect(joined).rejects.toThrow('The hub was closed')
    await node.hub.close()
    await failed
    await expect(node.join(new FakeMember())).rejects.toThrow('The hub was closed')
    expect(await node.publish('late')).toEqual([false])
    node.hub.group('news').add(new FakeMember())
  })
})

describe('except', () => {
  test('excludes members of this process, until the message is read from the history', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    const [one, other, third] = [new FakeMember(), new FakeMember(), new FakeMember()]
    const joined = await Promise.all([one, other, third].map((member) => node.join(member)))
    expect(await node.hub.publish('news', '1', { except: one })).toMatchObject({ delivered: 2 })
    expect(await node.hub.publish('news', '2', { except: [one, other] })).toMatchObject({ delivered: 1 })
    expect([one, other, third].map(({ delivered }) => delivered.length)).toEqual([0, 1, 2])
    await node.join(one, joined[0]!.position)
    await node.publish('3')
    expect(one.delivered).toEqual(messages(1, 3))
  })
})

describe('a broker that refuses', () => {
  test('to read rejects joins, and causes a gap for existing members', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    const member = new FakeMember()
    const { position } = await other.join(member)
    other.relay.refusal = new Error('NOPERM to read on')
    const warned = warningWith('NOPERM to read on')
    const refused = new FakeMember()
    await expect(other.join(refused, position)).rejects.toThrow('NOPERM')
    expect((await warned).message).toBe('A history cannot be used: NOPERM to read on')
    expect(other.hub.group('news').has(refused)).toBe(false)
    expect(other.gaps).toEqual([])
    one.relay.losingEntries = 1
    await one.publish('1', '2')
    await until(() => other.gaps.length > 0)
    expect(other.gaps).toEqual([{ cause: 'sequence', groups: ['news'], node: undefined, missed: undefined }])
    await one.publish('3')
    await until(() => member.delivered.length > 0)
    expect(member.delivered).toEqual(['3 3'])
  })

  test('to read from the beginning delivers what arrives', async () => {
    const broker = new MemoryBroker()
    const [one, other] = [await nodeOf(broker), await nodeOf(broker)]
    other.relay.refusal = new Error('NOPERM to begin')
    const warned = warningWith('NOPERM to begin')
    const member = new FakeMember()
    other.hub.group('news').add(member)
    await warned
    await other.hub.group('news').ready
    await one.publish('1')
    await until(() => member.delivered.length === 1)
    expect(member.delivered).toEqual(['1 1'])
  })

  test('to append makes publishing fail, with a warning', async () => {
    const broker = new MemoryBroker()
    const node = await nodeOf(broker)
    node.relay.refusal = new Error('OOM command not allowed')
    const warned = warningWith('OOM command not allowed')
    expect(await node.publish('1', '2')).toEqual([false, false])
    expect((await warned).code).toBe('HUBWIRE_HISTORY_REFUSED')
    node.relay.refusal = undefined
    expect(await node.publish('3')).toEqual([true])
  })
})

test('a message longer than maxPayload is refused at once', async () => {
  const node = await nodeOf(new MemoryBroker(), { maxPayload: 10 })
  await expect(node.publish('12345678901')).rejects.toThrow(/longer than the relay's maxPayload of 10/)
})

test('more unanswered messages than the limit resolve with relayed: false', async () => {
  const node = await nodeOf(new MemoryBroker(), { maxPayload: 4_000_000 })
  node.relay.stop()
  const results = [...Array.from({ length: 3 }, () => 'x'.repeat(4_000_000)), 'small'].map((text) =>
    node.publish(text),
  )
  expect(await results[2]).toEqual([false])
  node.relay.resume()
  expect((await Promise.all(results)).flat()).toEqual([true, true, false, true])
})

test('a process that declares no history refuses and counts the messages, with a warning', async () => {
  const broker = new MemoryBroker()
  const one = await nodeOf(broker)
  const relay = broker.relay()
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  const [here, there] = [new FakeMember(), new FakeMember()]
  hub.group('news').add(here)
  await one.join(there)
  await hub.group('news').ready
  const warned = warningWith('has no history here')
  await one.publish('with')
  expect((await warned).message).toMatch(/has no history here, and one where it was published/)
  const other = warningWith('has a history here')
  await hub.publish('news', 'without')
  expect((await other).message).toMatch(/has a history here, and none where it was published/)
  expect(hub.stats().relay!.refused).toBe(1)
  expect(one.hub.stats().relay!.refused).toBe(1)
  expect(here.delivered).toEqual(['without'])
  expect(there.delivered).toEqual(['1 with'])
})
