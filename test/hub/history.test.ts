import { Hub, type HistoryOptions, type HistoryPosition, type Relay } from 'hubwire'
import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { MemoryHistory } from '#src/relay/memory-history.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'

const encode: HistoryOptions['encode'] = (data, { offset }) => `${offset} ${String(data)}`

function groupOf(hub: Hub, options: Partial<HistoryOptions> = {}) {
  return hub.group('news', { history: { size: 100, ttl: 60_000, encode, ...options } })
}

/** A group in which these were published, and the position of the last. */
async function groupWith(texts: readonly string[], options: Partial<HistoryOptions> = {}) {
  const hub = new Hub()
  const group = groupOf(hub, options)
  let position: HistoryPosition | undefined
  for (const text of texts) ({ position } = await group.publish(text))
  return { hub, group, position: position!, epoch: position!.epoch }
}

function without(relay: MemoryRelay): Relay {
  return {
    options: relay.options,
    open: (events) => relay.open(events),
    publish: (...values) => relay.publish(...values),
    subscribe: (channels) => relay.subscribe(channels),
    unsubscribe: (channels) => relay.unsubscribe(channels),
    close: () => relay.close(),
  }
}

describe('a group with a history', () => {
  test('delivers what it publishes with its position, and counts it', async () => {
    const { hub, group } = await groupWith(['before'])
    const [one, other] = [new FakeMember(), new FakeMember()]
    group.add(one).add(other)
    const result = await hub.publish('news', 'hello', { except: other })
    expect(result).toMatchObject({ delivered: 1, skipped: 0, relayed: false, position: { offset: 2 } })
    expect(one.delivered).toEqual(['2 hello'])
    expect(other.delivered).toEqual([])
    expect(hub.stats()).toMatchObject({ broadcasts: 2, delivered: 1, skipped: 0 })
  })

  test('replays what a member missed, and then delivers new messages', async () => {
    const { group, epoch } = await groupWith(['a', 'b', 'c'])
    const member = new FakeMember()
    const joined = group.add(member, { since: { offset: 1, epoch } })
    expect(await joined).toEqual({ recovered: true, position: { offset: 3, epoch } })
    await group.publish('d')
    expect(member.delivered).toEqual(['2 b', '3 c', '4 d'])
  })

  test('accepts the JSON text of a position, as a page sends it', async () => {
    const { group, epoch } = await groupWith(['a', 'b'])
    const member = new FakeMember()
    expect(await group.add(member, { since: JSON.stringify({ offset: 1, epoch }) })).toMatchObject({
      recovered: true,
    })
    expect(member.delivered).toEqual(['2 b'])
  })

  test('recovers a member that missed nothing, even when no message is kept', async () => {
    const { group, position } = await groupWith(['a'], { ttl: 1 })
    await vi.waitUntil(
      async () => !(await group.add(new FakeMember(), { since: { ...position, offset: 0 } })).recovered,
    )
    const member = new FakeMember()
    expect(await group.add(member, { since: position })).toEqual({ recovered: true, position })
    expect(member.delivered).toEqual([])
  })

  test('calls encode once per message, for any number of members and replays', async () => {
    const calls: unknown[] = []
    const { group, epoch } = await groupWith(['a', 'b'], {
      encode(...values) {
        calls.push(values)
        return encode(...values)
      },
    })
    expect(calls).toEqual([])
    for (let count = 0; count < 5; count++) await group.add(new FakeMember(), { since: { offset: 0, epoch } })
    await group.publish(new Uint8Array([1, 2]))
    expect(calls).toEqual([
      ['a', { offset: 1, epoch }],
      ['b', { offset: 2, epoch }],
      [Buffer.from([1, 2]), { offset: 3, epoch }],
    ])
  })

  test('sends what encode returns: text as text, bytes as a binary message', async () => {
    const { group } = await groupWith(['a'], { encode: (data) => data })
    const kinds: boolean[] = []
    const member = new FakeMember()
    member.deliver = ({ isBinary }) => {
      kinds.push(isBinary)
      return true
    }
    group.add(member)
    await group.publish('text')
    await group.publish(new Uint8Array(1))
    await group.publish(Buffer.from('text'), { binary: false })
    expect(kinds).toEqual([false, true, false])
  })

  test('keeps no more messages than its size, and does not recover a member that missed more', async () => {
    const { group, epoch } = await groupWith(['a', 'b', 'c', 'd'], { size: 2 })
    const [late, inTime] = [new FakeMember(), new FakeMember()]
    expect(await group.add(late, { since: { offset: 1, epoch } })).toEqual({
      recovered: false,
      position: { offset: 4, epoch },
    })
    expect(await group.add(inTime, { since: { offset: 2, epoch } })).toMatchObject({ recovered: true })
    expect([late.delivered, inTime.delivered]).toEqual([[], ['3 c', '4 d']])
  })

  test('keeps the order when a member publishes, joins or rejoins during a delivery', async () => {
    const { group, epoch } = await groupWith(['a'])
    const back = new FakeMember()
    const joins: unknown[] = []
    const first = new FakeMember((text) => {
      if (text === '2 b') {
        void group.publish('c')
        joins.push(group.add(back, { since: { offset: 0, epoch } }))
      }
      return true
    })
    const second = new FakeMember()
    group.add(first).add(second)
    await group.publish('b')
    expect(await Promise.all(joins)).toMatchObject([{ recovered: true }])
    for (const { delivered } of [first, second]) expect(delivered).toEqual(['2 b', '3 c'])
    expect(back.delivered).toEqual(['1 a', '2 b', '3 c'])
  })

  test('delivers what a member publishes during its replay, and nothing twice', async () => {
    const { group, epoch } = await groupWith(['a', 'b'])
    const member: FakeMember = new FakeMember((text) => {
      if (text === '1 a') void group.publish('c')
      return true
    })
    expect(await group.add(member, { since: { offset: 0, epoch } })).toMatchObject({ recovered: true })
    expect(member.delivered).toEqual(['1 a', '2 b', '3 c'])
  })

  test('reports recovered: false for a member that skipped a message', async () => {
    const { group, epoch } = await groupWith(['a', 'b', 'c'])
    const slow = new FakeMember((text) => text !== '2 b')
    expect(await group.add(slow, { since: { offset: 0, epoch } })).toMatchObject({ recovered: false })
    expect(slow.delivered).toEqual(['1 a', '3 c'])
  })

  test('does not add a member that is closed', async () => {
    const { group, position } = await groupWith(['a'])
    const member = new FakeMember()
    member.end()
    expect(await group.add(member, { since: position })).toEqual({ recovered: false, position: undefined })
    expect(group.size).toBe(0)
  })
})

describe('a forged position recovers nothing', () => {
  test.each([
    ['undefined', () => undefined],
    ['null', () => null],
    ['of another epoch', () => ({ offset: 1, epoch: '0other' })],
    ['negative', (epoch: string) => ({ offset: -1, epoch })],
    ['2^53', (epoch: string) => ({ offset: 2 ** 53, epoch })],
    ['in the future', (epoch: string) => ({ offset: 4, epoch })],
    ['far in the future', (epoch: string) => ({ offset: Number.MAX_SAFE_INTEGER, epoch })],
    ['a fraction', (epoch: string) => ({ offset: 1.5, epoch })],
    ['NaN', (epoch: string) => ({ offset: Number.NaN, epoch })],
    ['digits', (epoch: string) => ({ offset: '1', epoch })],
    ['without an epoch', () => ({ offset: 1 })],
    ['a number', () => 1],
    ['an array', () => [1]],
    ['no JSON', () => '{"offset":1'],
    ['a long text', (epoch: string) => JSON.stringify({ offset: 1, epoch, padding: ' '.repeat(300) })],
    ['a JSON null', () => 'null'],
  ])('%s', async (_, sinceOf) => {
    const { group, epoch } = await groupWith(['a', 'b', 'c'])
    const member = new FakeMember()
    expect(await group.add(member, { since: sinceOf(epoch) })).toEqual({
      recovered: false,
      position: { offset: 3, epoch },
    })
    await group.publish('d')
    expect(member.delivered).toEqual(['4 d'])
  })
})

describe('a failing encode affects only its message', () => {
  test.each<[string, HistoryOptions['encode'], RegExp]>([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
      /^broken$/,
    ],
    [
      'throws a value that is not an Error',
      () => {
        throw 'broken' as unknown as Error
      },
      /^broken$/,
    ],
    ['returns nothing', () => undefined as unknown as string, /undefined is not/],
    ['rejects', (() => Promise.reject(new Error('later'))) as unknown as () => string, /a Promise is not/],
  ])('%s', async (_, broken, message) => {
    const { hub, group, epoch } = await groupWith(['a'], {
      encode: (data, position) => (data === 'b' ? broken(data, position) : encode(data, position)),
    })
    const failures: unknown[] = []
    hub.on('error', (error, member) => failures.push([error.message, member]))
    const [one, other, back] = [new FakeMember(), new FakeMember(), new FakeMember()]
    group.add(one).add(other)
    expect(await group.publish('b')).toMatchObject({ delivered: 0, skipped: 2, position: { offset: 2 } })
    await group.publish('c')
    expect(await group.add(back, { since: { offset: 0, epoch } })).toMatchObject({ recovered: false })
    for (const { delivered } of [one, other]) expect(delivered).toEqual(['3 c'])
    expect(back.delivered).toEqual(['1 a', '3 c'])
    expect(failures).toEqual([[expect.stringMatching(message), one]])
    expect(hub.stats()).toMatchObject({ delivered: 4, skipped: 3 })
  })
})

describe('throws for a user mistake and names what is wrong', () => {
  const wrong: [string, unknown, RegExp][] = [
    ['no object', 7, /history takes an object of options; it is given 7: write \{ size: 100/],
    ['no encode', { size: 1, ttl: 1 }, /history\.encode must be a function; it is undefined: write/],
    ['no size', { ttl: 1, encode }, /history\.size must be an integer from 1 to 100000; it is undefined/],
    ['a size of 0', { size: 0, ttl: 1, encode }, /history\.size .* it is 0/],
    ['no ttl', { size: 1, encode }, /history\.ttl must be an integer from 1 to 2147483647; it is undefined/],
    ['an endless ttl', { size: 1, ttl: Infinity, encode }, /history\.ttl .* it is Infinity/],
    ['a misspelt option', { size: 1, ttl: 1, encod: encode }, /history\.encod .*: write history\.encode/],
  ]
  test.each(wrong)('a history with %s', (_, history, message) => {
    expect(() => new Hub().group('news', { history: history as HistoryOptions })).toThrow(message)
  })

  test('invalid options of a group', () => {
    const hub = new Hub()
    expect(() => hub.group('news', 5 as unknown as object)).toThrow(/hub\.group\(\) takes an object/)
    expect(() => hub.group('news', { histroy: {} } as object)).toThrow(/no option histroy .* write history/)
    expect(hub.group('news', null).size).toBe(0)
    expect(hub.group('news', { history: null }).size).toBe(0)
  })

  test.each([
    ['size', { size: 101 }, /history with history\.size 100, not 101/],
    ['ttl', { ttl: 1 }, /history\.ttl 60000, not 1/],
    ['encode', { encode: (data: string | Buffer) => data }, /history\.encode the function encode, not/],
  ])('another history of the same group: %s', (_, options, message) => {
    const hub = new Hub()
    groupOf(hub)
    expect(() => groupOf(hub, options)).toThrow(message)
    expect(() => groupOf(hub)).not.toThrow()
  })

  test('a history for a group that has members', () => {
    const hub = new Hub()
    hub.group('news').add(new FakeMember())
    expect(() => groupOf(hub)).toThrow(/"news" already has members: declare its history before/)
    hub.group('other', { history: { size: 1, ttl: 1, encode } })
  })

  test('a history with a relay that does not keep one', async () => {
    const relay = new MemoryBroker().relay()
    const hub = new Hub({ relay: without(relay) })
    expect(() => groupOf(hub)).toThrow(TypeError)
    expect(() => groupOf(hub)).toThrow(
      /keeps no history: use redisRelay\(\) of hubwire\/redis .*single process/,
    )
    await hub.close()
  })

  test('a relay with an invalid history', () => {
    const relay = { ...without(new MemoryBroker().relay()), history: {} as never }
    expect(() => new Hub({ relay })).toThrow(/history of a relay must be an object with append and read/)
  })

  test('broadcast() to a group with a history', () => {
    const hub = new Hub()
    const member = new FakeMember()
    groupOf(hub).add(member)
    expect(() => hub.group('news').broadcast('x')).toThrow(TypeError)
    expect(() => hub.broadcast('news', 'x')).toThrow(
      /"news" has a history: broadcast\(\) cannot be used. Write await group\.publish\(data\)/,
    )
    expect(member.delivered).toEqual([])
  })

  test('add() with options to a group without a history', async () => {
    const group = new Hub().group('news')
    await expect(group.add(new FakeMember(), { since: 1 })).rejects.toThrow(/"news" has no history to read/)
    expect(group.size).toBe(0)
    await expect(groupOf(new Hub()).add({} as unknown as FakeMember, { since: undefined })).rejects.toThrow(
      /group\.add\(\) takes a member/,
    )
    expect(() => groupOf(new Hub()).add(new FakeMember(), 7 as never)).toThrow(/takes an object/)
  })

  test('data or options that cannot be published, which get no position', async () => {
    const { group } = await groupWith(['a'])
    await expect(group.publish({} as string)).rejects.toThrow(/A payload is/)
    await expect(group.publish('x', { except: 7 as never })).rejects.toThrow(/except must be/)
    expect(await group.publish('b')).toMatchObject({ position: { offset: 2 } })
  })
})

test('keeps the type of add() without options', () => {
  const group = new Hub().group('news')
  expectTypeOf(group.add(new FakeMember())).toEqualTypeOf(group)
  expectTypeOf(groupOf(new Hub()).add(new FakeMember(), { since: undefined })).resolves.toHaveProperty(
    'recovered',
  )
})

test('hub.group() without options gives the same group', async () => {
  const { hub, epoch } = await groupWith(['a'])
  const member = new FakeMember()
  expect(await hub.group('news').add(member, { since: { offset: 0, epoch } })).toMatchObject({
    recovered: true,
  })
  expect(await hub.publish('news', 'b')).toMatchObject({ position: { offset: 2, epoch } })
})

describe('the memory of histories', () => {
  const limits = { size: 10, ttl: 3_600_000 }

  test('is freed when messages expire, without further calls and without keeping the process alive', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const history = new MemoryHistory<object>()
      const append = (name: string, ttl: number): void => {
        history.append(name, { size: 10, ttl }, () => ({}))
      }
      append('long', 5000)
      append('short', 1000)
      expect(vi.getTimerCount()).toBe(1)
      vi.advanceTimersByTime(1000)
      expect(history.read('short', 0).entries).toEqual([])
      expect(history.read('long', 0).entries).toHaveLength(1)
      vi.advanceTimersByTime(4100)
      expect(vi.getTimerCount()).toBe(0)
      expect(history.read('long', 0)).toMatchObject({ top: 1, first: 2, entries: [] })
    } finally {
      vi.useRealTimers()
    }
  })

  test('is limited for groups that are used once', () => {
    const history = new MemoryHistory<string>()
    const { epoch } = history.read('first', 0)
    history.append('kept', limits, () => 'kept')
    for (let count = 0; count < 25_000; count++) history.read(`group ${count}`, 0)
    expect(history.size).toBeLessThanOrEqual(10_000)
    expect(history.read('kept', 0).entries).toEqual(['kept'])
    expect(history.read('first', 0).epoch).not.toBe(epoch)
  })
})
