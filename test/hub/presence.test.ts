import { Hub, type AddOptions, type PresenceChange, type WebSocket } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, turn } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { openPair } from '../support/open-pair.js'
import { uncaught } from '../support/uncaught.js'

function eventsOf(hub: Hub<WebSocket> | Hub): PresenceChange[] {
  const events: PresenceChange[] = []
  hub.on('presence', (event) => events.push(event))
  return events
}

const dataOf = (members: readonly { data: unknown }[]): unknown[] => members.map(({ data }) => data)

describe('members()', () => {
  test('lists the members that were added with presence, in the order in which they were added', async () => {
    const { client, socket } = await openPair()
    const group = new Hub().group('g')
    group.add(socket, { presence: { name: 'Ada', tags: ['a', 1, true, null] } }).add(new FakeMember())
    group.add(client, { presence: 'Ben' })
    expect(group.size).toBe(3)
    expect(await group.members()).toEqual({
      members: [
        { id: 'local.1', node: 'local', data: { name: 'Ada', tags: ['a', 1, true, null] } },
        { id: 'local.2', node: 'local', data: 'Ben' },
      ],
      missing: [],
    })
    expect(await new Hub().group('g').members()).toEqual({ members: [], missing: [] })
  })

  test('returns copies of the values', async () => {
    const group = new Hub().group('g')
    const presence = { name: 'Ada' }
    group.add(new FakeMember(), { presence })
    presence.name = 'changed'
    const [first] = (await group.members()).members
    expect(first!.data).toEqual({ name: 'Ada' })
    ;(first!.data as { name: string }).name = 'changed'
    expect(dataOf((await group.members()).members)).toEqual([{ name: 'Ada' }])
  })

  test('contains every event so far and no later one', async () => {
    const hub = new Hub()
    const group = hub.group('g')
    const [one, other] = [new FakeMember(), new FakeMember()]
    const events = eventsOf(hub)
    group.add(one, { presence: 1 })
    const atOnce = group.members()
    group.add(other, { presence: 2 })
    expect(dataOf((await atOnce).members)).toEqual([1, 2])
    expect(events).toHaveLength(1)
    one.end()
    group.add(new FakeMember(), { presence: 3 })
    expect(events).toHaveLength(1)
    expect(dataOf((await group.members()).members)).toEqual([2, 3])
    expect(events).toHaveLength(2)
  })
})

describe("'presence'", () => {
  test('reports who joined and who left, once per group and turn', async () => {
    const hub = new Hub()
    const events = eventsOf(hub)
    const members = Array.from({ length: 1000 }, () => new FakeMember())
    for (const [index, member] of members.entries())
      hub.group(`g${index % 2}`).add(member, { presence: index })
    expect(events).toEqual([])
    await turn()
    expect(events.map(({ group, joined, left }) => [group, joined.length, left.length])).toEqual([
      ['g0', 500, 0],
      ['g1', 500, 0],
    ])
    expect(events[1]!.joined[0]).toEqual({ id: 'local.2', node: 'local', data: 1 })
    hub.leaveAll(members[1]!)
    hub.group('g1').delete(members[3]!)
    members[5]!.end()
    await turn()
    expect(events.slice(2)).toEqual([
      {
        group: 'g1',
        joined: [],
        left: [1, 3, 5].map((data) => ({ id: `local.${data + 1}`, node: 'local', data })),
      },
    ])
  })

  test('is emitted when a socket has closed, whichever end closes, and for group.close()', async () => {
    const hub = new Hub()
    const events = eventsOf(hub)
    const pairs = [await openPair(), await openPair()]
    const group = hub.group('g')
    for (const [index, { socket }] of pairs.entries()) group.add(socket, { presence: index })
    await turn()
    const closed = pairs.map(({ socket }) => closeOf(socket))
    pairs[0]!.client.terminate()
    await closed[0]
    await settled()
    group.close(4000)
    await closed[1]
    await settled()
    expect(events.map(({ joined, left }) => [dataOf(joined), dataOf(left)])).toEqual([
      [[0, 1], []],
      [[], [0]],
      [[], [1]],
    ])
    expect(await group.members()).toEqual({ members: [], missing: [] })
  })

  test('reports a member that is added again with another value as joined, with the same id', async () => {
    const hub = new Hub()
    const events = eventsOf(hub)
    const member = new FakeMember()
    const group = hub.group('g').add(member, { presence: 'here' })
    await turn()
    group.add(member, { presence: 'away' }).add(member)
    await turn()
    // The same value says nothing new, and no value keeps it.
    group.add(member, { presence: 'away' }).add(member, { presence: null })
    await turn()
    const one = { id: 'local.1', node: 'local' }
    expect(events).toEqual([
      { group: 'g', joined: [{ ...one, data: 'here' }], left: [] },
      { group: 'g', joined: [{ ...one, data: 'away' }], left: [] },
    ])
    group.delete(member)
    group.add(member, { presence: 'back' })
    await turn()
    expect(events[2]).toEqual({
      group: 'g',
      joined: [{ id: 'local.2', node: 'local', data: 'back' }],
      left: [{ ...one, data: 'away' }],
    })
  })

  test('is not emitted for members that join and leave in one turn or are already closed', async () => {
    const hub = new Hub()
    const events = eventsOf(hub)
    const [brief, closed] = [new FakeMember(), new FakeMember()]
    closed.end()
    hub.group('g').add(brief, { presence: 1 }).add(closed, { presence: 2 })
    brief.end()
    await turn()
    expect(events).toEqual([])
    expect((await hub.group('g').members()).members).toEqual([])
  })

  test('is emitted for other groups even if a listener throws, which is an uncaught exception', async () => {
    const hub = new Hub()
    const failure = new Error('a broken listener')
    const groups: string[] = []
    hub.on('presence', ({ group }) => {
      groups.push(group)
      throw failure
    })
    const caught = uncaught()
    hub.group('a').add(new FakeMember(), { presence: 1 })
    hub.group('b').add(new FakeMember(), { presence: 2 })
    await turn()
    expect(groups).toEqual(['a', 'b'])
    expect(caught).toEqual([failure, failure])
  })

  test('lets its listener change groups', async () => {
    const hub = new Hub()
    const events = eventsOf(hub)
    const second = new FakeMember()
    hub.once('presence', () => hub.group('b').add(second, { presence: 'second' }))
    hub.group('a').add(new FakeMember(), { presence: 'first' })
    await settled()
    expect(events.map(({ group, joined }) => [group, dataOf(joined)])).toEqual([
      ['a', ['first']],
      ['b', ['second']],
    ])
  })
})

describe('a value', () => {
  const circle: { self?: unknown } = {}
  circle.self = circle

  test.each<[string, unknown, RegExp]>([
    ['a function', () => 1, /presence must be a value that JSON can express; it is/],
    ['a symbol', Symbol('s'), /it is Symbol\(s\)/],
    ['a bigint', 1n, /presence must be a value that JSON can express: .*BigInt/],
    ['an object that contains itself', circle, /presence must be a value that JSON can express: .*circular/],
    [
      'an object whose toJSON throws',
      {
        toJSON: () => {
          throw new Error('not me')
        },
      },
      /JSON can express: not me/,
    ],
  ])('that is %s is a TypeError, and nothing is added', (_, presence, message) => {
    const group = new Hub().group('g')
    const add = (): unknown => group.add(new FakeMember(), { presence } as AddOptions)
    expect(add).toThrow(TypeError)
    expect(add).toThrow(message)
    expect(group.size).toBe(0)
  })

  test('may have at most 4,096 bytes as JSON', async () => {
    const group = new Hub().group('g')
    const longest = 'ü'.repeat(2047)
    group.add(new FakeMember(), { presence: longest })
    expect(dataOf((await group.members()).members)).toEqual([longest])
    const add = (): unknown => group.add(new FakeMember(), { presence: `${longest}x` })
    expect(add).toThrow(RangeError)
    expect(add).toThrow('presence may have 4096 bytes as JSON; this value has 4097')
    expect(group.size).toBe(1)
  })

  test.each([
    [{ presense: 1 }, /There is no option presense .*write presence/],
    ['Ada', /group\.add\(\) takes an object of options; it is given "Ada": write \{ presence/],
  ])('in options like %j is a TypeError', (options, message) => {
    const group = new Hub().group('g')
    expect(() => group.add(new FakeMember(), options as AddOptions)).toThrow(TypeError)
    expect(() => group.add(new FakeMember(), options as AddOptions)).toThrow(message)
    expect(group.size).toBe(0)
  })

  test.each([0, '', false, [], {}])('may be %j', async (presence) => {
    const group = new Hub().group('g').add(new FakeMember(), { presence })
    expect(dataOf((await group.members()).members)).toEqual([presence])
  })
})
