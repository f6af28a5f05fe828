import { Hub } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { FakeMember } from '../support/fake-member.js'
import { collectGarbage, isCollected } from '../support/garbage-collection.js'

describe('groups of a hub', () => {
  test('returns the same group for the same name within one hub only', () => {
    const hub = new Hub()
    const member = new FakeMember()
    const [one, other] = [hub.group('room'), hub.group('room')]
    one.add(member)
    expect(other.has(member)).toBe(true)
    expect(other.size).toBe(1)
    expect(new Hub().group('room').has(member)).toBe(false)
    expect(other.delete(member)).toBe(true)
    expect(one.size).toBe(0)
    // A handle that existed while the group did not.
    other.add(member)
    expect([...one]).toEqual([member])
  })

  test('uses names literally', () => {
    const hub = new Hub()
    const names = ['', '__proto__', 'constructor', 'a b', 'ü', '🙂', 'a\0b']
    const members = names.map((name) => {
      const member = new FakeMember()
      hub.group(name).add(member)
      return member
    })
    expect([...hub.groups()].map((group) => group.name)).toEqual(names)
    for (const name of names) hub.broadcast(name, name)
    expect(members.map((member) => member.delivered)).toEqual(names.map((name) => [name]))
  })

  test('groups() returns usable groups with members only', () => {
    const hub = new Hub()
    expect([...hub.groups()]).toEqual([])
    const member = new FakeMember()
    hub.group('a').add(member)
    hub.group('b').add(member)
    hub.group('empty')
    for (const group of hub.groups()) group.broadcast(`to ${group.name}`)
    expect(member.delivered).toEqual(['to a', 'to b'])
    hub.group('a').delete(member)
    expect([...hub.groups()].map((group) => group.name)).toEqual(['b'])
  })

  test('allows groups to be closed and left during the iteration', () => {
    const hub = new Hub()
    const members = Array.from({ length: 10 }, (_, index) => {
      const member = new FakeMember()
      hub.group(`group ${index}`).add(member)
      return member
    })
    let seen = 0
    for (const group of hub.groups()) {
      seen++
      for (const member of group) (member as unknown as FakeMember).end()
    }
    expect(seen).toBe(10)
    expect(hub.stats()).toMatchObject({ groups: 0, members: 0 })
    expect(members.every((member) => member.watchers === 0)).toBe(true)
  })

  test('leaveAll() removes only that member from all its groups', () => {
    const hub = new Hub()
    const [one, other] = [new FakeMember(), new FakeMember()]
    for (const name of ['a', 'b', 'c']) hub.group(name).add(one)
    hub.group('b').add(other)
    hub.leaveAll(one)
    expect([...hub.groups()].map((group) => group.name)).toEqual(['b'])
    expect([...hub.group('b')]).toEqual([other])
    expect(hub.stats()).toMatchObject({ groups: 1, members: 1 })
    hub.leaveAll(one)
    hub.leaveAll(new FakeMember())
    expect(hub.stats()).toMatchObject({ groups: 1, members: 1 })
  })

  test('holds 100,000 groups with one member each', () => {
    const hub = new Hub()
    const count = 100_000
    const members = Array.from({ length: count }, () => new FakeMember())
    for (const [index, member] of members.entries()) hub.group(`user ${index}`).add(member)
    expect(hub.stats()).toMatchObject({ groups: count, members: count })
    for (let index = 0; index < count; index++) hub.broadcast(`user ${index}`, `for ${index}`)
    expect(
      members.every(({ delivered }, index) => delivered.length === 1 && delivered[0] === `for ${index}`),
    ).toBe(true)
    expect(hub.stats()).toEqual({
      groups: count,
      members: count,
      broadcasts: count,
      delivered: count,
      skipped: 0,
    })
    for (const member of members) member.end()
    expect(hub.stats()).toMatchObject({ groups: 0, members: 0 })
  })

  test('holds one member in 100,000 groups', () => {
    const hub = new Hub()
    const member = new FakeMember()
    for (let index = 0; index < 100_000; index++) hub.group(`topic ${index}`).add(member)
    expect(hub.stats()).toMatchObject({ groups: 100_000, members: 1 })
    expect(member.watchers).toBe(1)
    member.end()
    expect(hub.stats()).toMatchObject({ groups: 0, members: 0 })
  })

  test('keeps no memory for groups without members', async () => {
    const hub = new Hub()
    const member = new FakeMember()
    await collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let index = 0; index < 100_000; index++) {
      const group = hub.group(`group ${index}`)
      group.broadcast('to nobody')
      group.add(member)
      group.delete(member)
      group.close()
    }
    expect(hub.stats()).toMatchObject({ groups: 0, members: 0 })
    await collectGarbage()
    // The names, sets and handles of this many groups would take 20 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000)
  })

  test('does not keep a member alive that has left', async () => {
    const hub = new Hub()
    const references = ['delete', 'leaveAll', 'close'].map((way) => {
      const member = new FakeMember()
      const group = hub.group(way).add(member)
      if (way === 'delete') group.delete(member)
      else if (way === 'leaveAll') hub.leaveAll(member)
      else member.end()
      return new WeakRef(member)
    })
    for (const reference of references) expect(await isCollected(reference)).toBe(true)
  })
})

describe('counts', () => {
  test('include all broadcasts, by a group or by name, with and without members', () => {
    const hub = new Hub()
    expect(hub.stats()).toEqual({ groups: 0, members: 0, broadcasts: 0, delivered: 0, skipped: 0 })
    const slow = new FakeMember(() => false)
    const [one, other] = [new FakeMember(), new FakeMember()]
    const group = hub.group('g').add(one).add(other).add(slow)
    hub.group('h').add(one)
    expect(group.broadcast('1')).toEqual({ delivered: 2, skipped: 1 })
    expect(hub.broadcast('g', '2', { except: slow })).toEqual({ delivered: 2, skipped: 0 })
    expect(hub.broadcast('h', '3')).toEqual({ delivered: 1, skipped: 0 })
    expect(hub.broadcast('nobody', '4')).toEqual({ delivered: 0, skipped: 0 })
    expect(hub.stats()).toEqual({ groups: 2, members: 3, broadcasts: 4, delivered: 5, skipped: 1 })
  })

  test('are a copy that does not change the hub', () => {
    const hub = new Hub()
    hub.stats().broadcasts = 10
    expect(hub.stats().broadcasts).toBe(0)
  })
})

test('throws a TypeError for an unknown slowPolicy', () => {
  expect(() => new Hub({ slowPolicy: 'drop' as 'skip' })).toThrow(
    "slowPolicy must be 'terminate' or 'skip'; it is \"drop\"",
  )
})

test.each([0, -1, Number.NaN, '16'])(
  'throws a RangeError for a maxBufferedAmount of %s',
  (maxBufferedAmount) => {
    expect(() => new Hub({ maxBufferedAmount: maxBufferedAmount as number })).toThrow(RangeError)
    expect(() => new Hub({ maxBufferedAmount: maxBufferedAmount as number })).toThrow(/maxBufferedAmount/)
  },
)
