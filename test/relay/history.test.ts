import { type Gap, Hub, type HistoryOptions, type HistoryPosition } from 'hubwire'
import fc from 'fast-check'
import { redisRelay } from 'hubwire/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkPage, readEntry } from '#src/relay/history.js'
import { decodePayload, encodePayload } from '#src/relay/history-payload.js'
import { RedisHistory } from '#src/relay/redis/history.js'
import { ignore } from '#src/options/ignore.js'
import { settled, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker } from '../support/memory-broker.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'
import { warningWith } from '../support/warning.js'

const encode: HistoryOptions['encode'] = (data, { offset }) => `${offset} ${String(data)}`
const history: HistoryOptions = { size: 100, ttl: 60_000, encode }

const clients = {
  redis: (path: string) => createClient({ socket: { path, tls: false } }),
  ioredis: (path: string) => new Redis({ path, lazyConnect: true }),
}

function hubAt(path: string, client: keyof typeof clients): { hub: Hub; gaps: Gap[] } {
  const hub = new Hub({ relay: redisRelay(clients[client](path), { heartbeatInterval: 50 }) })
  onTestFinished(() => hub.close())
  hub.group('news', { history })
  const gaps: Gap[] = []
  hub.on('gap', (gap) => gaps.push(gap))
  return { hub, gaps }
}

describe.each(['redis', 'ioredis'] as const)('with %s', requires('redis-server'), (client) => {
  test('replays missed messages to a member that rejoins in another process, and then delivers new ones', async () => {
    const { path } = await RedisServer.start()
    const [one, other] = [hubAt(path, client), hubAt(path, client)]
    const staying = new FakeMember()
    one.hub.group('news').add(staying)
    await Promise.all([one.hub.ready, other.hub.ready])
    const results = []
    for (const text of ['a', 'b', 'c']) results.push(await one.hub.publish('news', text))
    const { epoch } = results[0]!.position!
    expect(results).toEqual(
      [1, 2, 3].map((offset) => ({ delivered: 1, skipped: 0, relayed: true, position: { offset, epoch } })),
    )
    expect(staying.delivered).toEqual(['1 a', '2 b', '3 c'])
    const back = new FakeMember()
    const since: HistoryPosition = { offset: 1, epoch }
    expect(await other.hub.group('news').add(back, { since })).toEqual({
      recovered: true,
      position: { offset: 3, epoch },
    })
    expect(back.delivered).toEqual(['2 b', '3 c'])
    expect(await other.hub.publish('news', 'd')).toMatchObject({ delivered: 1, relayed: true })
    await until(() => staying.delivered.length === 4)
    expect(back.delivered).toEqual(['2 b', '3 c', '4 d'])
    expect([one.gaps, other.gaps]).toEqual([[], []])
  })

  test('keeps working when Redis has lost the scripts', async () => {
    const server = await RedisServer.start()
    const { hub } = hubAt(server.path, client)
    await hub.ready
    await hub.publish('news', 'a')
    await server.command('SCRIPT', 'FLUSH')
    const results = await Promise.all(['b', 'c'].map((text) => hub.publish('news', text)))
    expect(results).toMatchObject([{ position: { offset: 2 } }, { position: { offset: 3 } }])
    await server.command('SCRIPT', 'FLUSH')
    const { epoch } = results[0]!.position!
    const member = new FakeMember()
    expect(await hub.group('news').add(member, { since: { offset: 0, epoch } })).toMatchObject({
      recovered: true,
    })
    expect(member.delivered).toEqual(['1 a', '2 b', '3 c'])
  })

  test('keeps two keys per group, which expire', async () => {
    const server = await RedisServer.start()
    const { hub } = hubAt(server.path, client)
    await hub.ready
    for (let count = 0; count < 150; count++) void hub.publish('news', 'x')
    await hub.publish('news', 'last')
    const keys = (await server.command('KEYS', '*')) as string[]
    expect(keys.sort()).toEqual(['hubwire:group:news:entries', 'hubwire:group:news:position'])
    expect(await server.command('LLEN', keys[0]!)).toBe(100)
    const times = await Promise.all(keys.map((key) => server.command('PTTL', key)))
    expect(times[0]).toBeGreaterThan(50_000)
    expect(times[0]).toBeLessThanOrEqual(60_000)
    expect(times[1]).toBeGreaterThan(23 * 60 * 60 * 1000)
    expect(times[1]).toBeLessThanOrEqual(24 * 60 * 60 * 1000)
  })

  test('removes expired entries when others are appended', async () => {
    const server = await RedisServer.start()
    const { hub } = hubAt(server.path, client)
    hub.group('brief', { history: { ...history, ttl: 60 } })
    await hub.ready
    await Promise.all(['a', 'b', 'c'].map((text) => hub.publish('brief', text)))
    const entries = async (): Promise<number> =>
      (await server.command('LLEN', 'hubwire:group:brief:entries')) as number
    let last = 3
    for (let length = 3; length >= last; length = await entries()) {
      await hub.publish('brief', 'd')
      last++
    }
    expect(await entries()).toBeLessThan(last)
  })

  test('reads what members missed when Redis closes all connections', async () => {
    const server = await RedisServer.start()
    const [one, other] = [hubAt(server.path, client), hubAt(server.path, client)]
    const member = new FakeMember()
    other.hub.group('news').add(member)
    await Promise.all([one.hub.ready, other.hub.ready])
    const taken: string[] = []
    for (let count = 0; count < 40; count++) {
      if (count % 10 === 5) {
        await server.command('CLIENT', 'KILL', 'TYPE', count % 20 === 5 ? 'pubsub' : 'normal')
        await until(() => [one, other].every(({ hub }) => hub.stats().relay!.connected))
      }
      const { relayed } = await one.hub.publish('news', String(count))
      if (relayed) taken.push(String(count))
    }
    await until(
      () => member.delivered.length >= taken.length && member.delivered.at(-1)!.endsWith(taken.at(-1)!),
    )
    const got = member.delivered.map((text) => text.split(' ')[1]!)
    expect(member.delivered.map((text) => Number(text.split(' ')[0]))).toEqual(
      got.map((_, index) => index + 1),
    )
    expect(got.filter((text) => taken.includes(text))).toEqual(taken)
    expect(other.gaps).toEqual([])
  })

  test('reports a gap and begins a new epoch when Redis was restarted without its data', async () => {
    const server = await RedisServer.start()
    const [one, other] = [hubAt(server.path, client), hubAt(server.path, client)]
    const member = new FakeMember()
    const joined = await other.hub.group('news').add(member, { since: undefined })
    await one.hub.ready
    await one.hub.publish('news', 'before')
    await until(() => member.delivered.length === 1)
    await server.kill()
    await until(() => [one, other].every(({ hub }) => !hub.stats().relay!.connected))
    const waiting = new FakeMember()
    const join = one.hub.group('news').add(waiting, { since: joined.position })
    expect(await one.hub.publish('news', 'lost')).toEqual({ delivered: 0, skipped: 0, relayed: false })
    await server.restart()
    expect(await join).toMatchObject({ recovered: false, position: { offset: 0 } })
    await until(() => other.gaps.length > 0)
    expect(other.gaps).toMatchObject([{ cause: 'connection', groups: ['news'] }])
    await one.hub.publish('news', 'after')
    await until(() => member.delivered.length === 2)
    expect([member.delivered, waiting.delivered]).toEqual([['1 before', '1 after'], ['1 after']])
  })

  test('forged keys affect nothing but the history', async () => {
    const server = await RedisServer.start()
    const { hub } = hubAt(server.path, client)
    hub.group('other', { history })
    await hub.ready
    const [entries, position] = ['hubwire:group:news:entries', 'hubwire:group:news:position']
    await server.command('SET', position, 'forged')
    const warned = warningWith('WRONGTYPE')
    expect(await hub.publish('news', 'a')).toEqual({ delivered: 0, skipped: 0, relayed: false })
    expect((await warned).code).toBe('HUBWIRE_HISTORY_REFUSED')
    await expect(hub.group('news').add(new FakeMember(), { since: undefined })).rejects.toThrow('WRONGTYPE')
    await server.command('DEL', position)
    for (const offset of ['-5', '9007199254740993', 'forged', '1e400']) {
      await server.command('HSET', position, 'epoch', '0forged', 'offset', offset, 'due', 'never')
      await server.command('RPUSH', entries, 'forged', ':', '99999999999999:', 'x'.repeat(100))
      await hub.publish('news', 'a')
      await hub
        .group('news')
        .add(new FakeMember(), { since: { epoch: '0forged', offset: 1 } })
        .catch(ignore)
      hub.group('news').close()
      await server.command('DEL', entries, position)
    }
    await server.command('HSET', position, 'epoch', 'no epoch', 'offset', '1')
    await expect(hub.group('news').add(new FakeMember(), { since: undefined })).rejects.toThrow(
      'not a valid page of a history',
    )
    expect(await hub.publish('other', 'still works')).toMatchObject({
      relayed: true,
      position: { offset: 1 },
    })
  })
})

describe('forged replies of scripts are refused', () => {
  const limits = { size: 10, ttl: 1000, seen: undefined }
  const text = (...values: string[]): Buffer[] => values.map((value) => Buffer.from(value))
  const replies: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a number', 7],
    ['text', 'OK'],
    ['an object', {}],
    ['an empty array', []],
    ['an array of text', ['0epoch', '1', '1']],
    ['an array of arrays', [[], [], []]],
    ['no epoch', text('', '1', '1')],
    ['an epoch with a colon', text('0:1', '1', '2')],
    ['a long epoch', text(`0${'x'.repeat(64)}`, '1', '2')],
    ['a negative offset', text('0epoch', '-1', '1')],
    ['2^53', text('0epoch', '9007199254740992', '9007199254740993')],
    ['digits in another form', text('0epoch', '1e3', '0x1')],
    ['entries behind the last', text('0epoch', '1', '2', 'a')],
    ['entries in front of the first', text('0epoch', '1', '0', 'a')],
    ['a first without an entry', text('0epoch', '5', '3')],
  ]

  test.each(replies)('%s', async (_, reply) => {
    const relay = new MemoryBroker().relay()
    const forged = new RedisHistory(() => Promise.resolve(reply))
    const hub = new Hub({ relay })
    onTestFinished(() => hub.close())
    const member = new FakeMember()
    hub.group('news', { history }).add(member)
    await hub.ready
    await hub.group('news').ready
    Object.assign(relay.history, { append: forged.append.bind(forged), read: forged.read.bind(forged) })
    const read = await forged.read('channel', 0, limits).catch(() => undefined)
    const refusesReads = hub.group('news').add(new FakeMember(), { since: undefined })
    await expect(refusesReads).rejects.toThrow()
    if (read !== undefined) expect(() => checkPage(read)).toThrow('not a valid page of a history')
    expect(hub.group('news').size).toBe(1)
  })

  /** A hub whose broker answers one command with what Redis is said to have replied. */
  async function hubWithReply(command: 'read' | 'append', reply: readonly Buffer[]): Promise<Hub> {
    const relay = new MemoryBroker().relay()
    const forged = new RedisHistory(() => Promise.resolve(reply))
    const hub = new Hub({ relay })
    onTestFinished(() => hub.close())
    hub.group('news', { history })
    await hub.ready
    Object.assign(relay.history, { [command]: forged[command].bind(forged) })
    return hub
  }

  test.each([
    ['a page from another place', text('0epoch', '9', '2', 'a')],
    ['the same page again', text('0epoch', '9', '1', 'a')],
  ])('%s', async (_, reply) => {
    const hub = await hubWithReply('read', reply)
    const joined = hub.group('news').add(new FakeMember(), { since: { epoch: '0epoch', offset: 5 } })
    await expect(joined).rejects.toThrow('not the requested page of the history')
  })

  test.each([
    ['no position', text('0epoch')],
    ['an offset of 0', text('0epoch', '0')],
    ['an epoch that is none', text('epoch', '1')],
  ])('to an append: %s', async (_, reply) => {
    const hub = await hubWithReply('append', reply)
    expect(await hub.publish('news', 'x')).toEqual({ delivered: 0, skipped: 0, relayed: false })
  })

  test('and so is a relay that throws', async () => {
    const relay = new MemoryBroker().relay()
    const hub = new Hub({ relay })
    onTestFinished(() => hub.close())
    hub.group('news', { history })
    await hub.ready
    const thrower = (): never => {
      throw new Error('a broken relay')
    }
    Object.assign(relay.history, { append: thrower, read: thrower })
    expect(await hub.publish('news', 'x')).toMatchObject({ relayed: false })
    await expect(hub.group('news').add(new FakeMember(), { since: undefined })).rejects.toThrow(
      'a broken relay',
    )
  })
})

describe('forged messages on the channel of a group with a history', () => {
  test.each([
    [
      'no entry',
      ['forged', '::', '0e:x:', '0epoch:-1:x', '0epoch:9007199254740992:x', ':1:x', '0epoch:01:x'],
    ],
    ['another epoch', ['0forged:1:x', '0forged:9007199254740991:x']],
    ['the distant future', ['EPOCH:9007199254740991:x', 'EPOCH:1000:x']],
    ['what was there before', ['EPOCH:1:x', 'EPOCH:2:x']],
  ])('%s: is delivered to no member, and later messages are', async (_, forged) => {
    const broker = new MemoryBroker()
    const relay = broker.relay()
    const hub = new Hub({ relay })
    onTestFinished(() => hub.close())
    const member = new FakeMember()
    const { position } = await hub.group('news', { history }).add(member, { since: undefined })
    await hub.publish('news', 'a')
    await hub.publish('news', 'b')
    for (const text of forged) {
      broker.publish('hubwire:group:news', Buffer.from(text.replace('EPOCH', position!.epoch)))
    }
    await settled()
    for (const text of ['c', 'd']) await hub.publish('news', text)
    await until(() => member.delivered.length === 4)
    expect(member.delivered).toEqual(['1 a', '2 b', '3 c', '4 d'])
  })

  test('counts the next entry as refused, and skips it, if it cannot be decoded', async () => {
    const broker = new MemoryBroker()
    const hub = new Hub({ relay: broker.relay() })
    onTestFinished(() => hub.close())
    const [member, back] = [new FakeMember(), new FakeMember()]
    const { position } = await hub.group('news', { history }).add(member, { since: undefined })
    const limits = { size: 100, ttl: 60_000, seen: undefined }
    const forged = [Buffer.from('forged'), Buffer.from([9, ...Buffer.alloc(15)])]
    broker.histories.append('hubwire:group:news', forged, limits, (payload) => {
      broker.publish('hubwire:group:news', payload)
    })
    expect(await hub.publish('news', 'a')).toMatchObject({ delivered: 1, position: { offset: 3 } })
    expect(member.delivered).toEqual(['3 a'])
    expect(hub.stats()).toMatchObject({ delivered: 1, skipped: 2, relay: { refused: 2 } })
    expect(await hub.group('news').add(back, { since: position })).toMatchObject({ recovered: false })
  })
})

test('decodes what a hub appends, and rejects everything else', () => {
  fc.assert(
    fc.property(
      fc.record({
        node: fc.constant('0123456789abcdef'),
        serial: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
        payload: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
        isBinary: fc.constant(true),
        compress: fc.boolean(),
      }),
      (payload) => {
        expect(decodePayload(encodePayload(payload), 100)).toEqual(payload)
        expect(decodePayload(encodePayload(payload), payload.payload.length - 1)).toBeUndefined()
      },
    ),
    { numRuns: runs(200) },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const payload = decodePayload(Buffer.from(bytes), 100)
      if (payload !== undefined) expect(encodePayload(payload)).toEqual(Buffer.from(bytes))
    }),
    { numRuns: runs(200) },
  )
  const invalid = { node: '0123456789abcdef', serial: 1, isBinary: false, compress: true }
  expect(decodePayload(encodePayload({ ...invalid, payload: Buffer.from([0xff]) }), 100)).toBeUndefined()
})

test('decodes an entry as a relay publishes it, and rejects everything else', () => {
  const epoch = '0123456789abcdef'
  expect(readEntry(Buffer.from(`${epoch}:12:a:b`))).toEqual({
    position: { epoch, offset: 12 },
    bytes: Buffer.from('a:b'),
  })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const entry = readEntry(Buffer.from(bytes))
      if (entry === undefined) return
      const { position, bytes: rest } = entry
      expect(Buffer.concat([Buffer.from(`${position.epoch}:${position.offset}:`), rest])).toEqual(
        Buffer.from(bytes),
      )
    }),
    { numRuns: runs(200) },
  )
})
