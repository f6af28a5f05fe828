import { Hub, WebSocket } from 'hubwire'
import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { settled } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { uncaught } from '../support/uncaught.js'

describe('throws for a user mistake and names what is wrong (N7)', () => {
  test.each([
    ['undefined', undefined, /name of a group must be a string; it is undefined/],
    ['a number', 7, /it is 7/],
    ['a socket', new FakeMember(), /it is an object \(FakeMember\)/],
  ])('group() of %s', (_name, name, message) => {
    const hub = new Hub()
    expect(() => hub.group(name as unknown as string)).toThrow(TypeError)
    expect(() => hub.group(name as unknown as string)).toThrow(message)
    expect(() => hub.broadcast(name as unknown as string, 'x')).toThrow(message)
  })

  test.each([
    ['undefined', undefined, /group\.add\(\) takes a member: a WebSocket.*given undefined/],
    ['null', null, /given null/],
    ['a string', 'socket', /given "socket"/],
    ['an object that is no member', {}, /given an object \(Object\)/],
  ])('add() of %s', (_name, member, message) => {
    const group = new Hub().group('g')
    expect(() => group.add(member as FakeMember)).toThrow(TypeError)
    expect(() => group.add(member as FakeMember)).toThrow(message)
    expect(group.size).toBe(0)
  })

  test.each([
    ['a string', 'socket', /except must be a member or an iterable of members; it is "socket"/],
    ['a number', 1, /it is 1/],
    ['an object that is no member', {}, /it is an object \(Object\)/],
    ['an array with something else', [{}], /contains an object \(Object\)/],
  ])('except of %s (F25)', (_name, except, message) => {
    const member = new FakeMember()
    const group = new Hub().group('g').add(member)
    const broadcast = (): unknown => group.broadcast('x', { except: except as unknown as FakeMember })
    expect(broadcast).toThrow(TypeError)
    expect(broadcast).toThrow(message)
    expect(member.delivered).toEqual([])
  })
})

test('accepts an array or any other iterable of members for except (F25)', () => {
  const members = [new FakeMember(), new FakeMember(), new FakeMember()] as const
  const group = new Hub().group('g')
  for (const member of members) group.add(member)
  const [one, two, three] = members
  expect(group.broadcast('array', { except: [one, two] })).toEqual({ delivered: 1, skipped: 0 })
  expect(group.broadcast('map', { except: new Map([[one, 1]]).keys() })).toEqual({ delivered: 2, skipped: 0 })
  expect(group.broadcast('group', { except: group })).toEqual({ delivered: 0, skipped: 0 })
  expect(three.delivered).toEqual(['array', 'map'])
})

test('uses the default for every option that is null', () => {
  const member = new FakeMember()
  const group = new Hub({ maxBufferedAmount: null, slowPolicy: null }).group('g').add(member)
  new Hub(null).group('h').add(member)
  expect(group.broadcast('x', null)).toEqual({ delivered: 1, skipped: 0 })
  expect(group.broadcast('y', { except: null, binary: null, compress: null })).toMatchObject({ delivered: 1 })
  expect(member.delivered).toEqual(['x', 'y'])
})

describe('a member whose deliver throws', () => {
  const failure = new Error('a broken member')
  const groupOf = (hub: Hub) => {
    const broken = new FakeMember(() => {
      throw failure
    })
    const [before, behind] = [new FakeMember(), new FakeMember()]
    return { group: hub.group('g').add(before).add(broken).add(behind), before, broken, behind }
  }

  test("counts as skipped and is reported to the hub's listeners; the others get the message", () => {
    const hub = new Hub()
    const listener = vi.fn()
    hub.on('error', listener)
    const { group, before, broken, behind } = groupOf(hub)
    expect(group.broadcast('x')).toEqual({ delivered: 2, skipped: 1 })
    expect([before.delivered, behind.delivered]).toEqual([['x'], ['x']])
    expect(listener.mock.calls).toEqual([[failure, broken]])
    expect(hub.stats()).toMatchObject({ delivered: 2, skipped: 1 })
  })

  test('emits one process warning per hub without a listener', async () => {
    const errors = uncaught()
    const warnings: (Error & { code?: string })[] = []
    const collect = (warning: Error): void => {
      if (warning.message.includes(failure.message)) warnings.push(warning)
    }
    process.on('warning', collect)
    const { group } = groupOf(new Hub())
    for (const data of ['x', 'y']) {
      expect(group.broadcast(data)).toEqual({ delivered: 2, skipped: 1 })
    }
    await settled()
    process.off('warning', collect)
    expect(warnings.map(({ code }) => code)).toEqual(['HUBWIRE_MEMBER_FAILED'])
    expect(errors).toEqual([])
  })
})

test('yields the members of its type from a group (N9)', () => {
  class Player extends WebSocket<{ name: string }> {
    score = 0
  }
  const hub = new Hub<Player>()
  expectTypeOf([...hub.group('g')]).toEqualTypeOf<Player[]>()
  const plain = new Hub().group('g')
  expect([...plain]).toEqual([])
})
