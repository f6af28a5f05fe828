import { describe, expect, test } from 'vitest'
import { Memberships } from '#src/hub/memberships.js'
import { FakeMember } from '../support/fake-member.js'
import { collectGarbage, isCollected } from '../support/garbage-collection.js'

describe('memberships', () => {
  test('keeps a group while it has members', () => {
    const memberships = new Memberships()
    const [one, other] = [new FakeMember(), new FakeMember()]
    expect(memberships.membersOf('g')).toBeUndefined()
    memberships.add('g', one)
    memberships.add('g', other)
    memberships.add('h', other)
    expect([...(memberships.membersOf('g') ?? [])]).toEqual([one, other])
    expect([...memberships.groupNames()]).toEqual(['g', 'h'])
    expect([memberships.groupCount, memberships.memberCount]).toEqual([2, 2])

    expect(memberships.delete('g', one)).toBe(true)
    expect(memberships.delete('g', one)).toBe(false)
    expect(memberships.delete('h', one)).toBe(false)
    expect([memberships.groupCount, memberships.memberCount]).toEqual([2, 1])

    expect(memberships.delete('g', other)).toBe(true)
    expect(memberships.membersOf('g')).toBeUndefined()
    expect([...memberships.groupNames()]).toEqual(['h'])
  })

  test('watches a member only while it is in a group', () => {
    const memberships = new Memberships()
    const member = new FakeMember()
    for (let count = 0; count < 100; count++) memberships.add(`group ${count}`, member)
    memberships.add('group 0', member)
    expect(member.watchers).toBe(1)
    for (let count = 0; count < 99; count++) memberships.delete(`group ${count}`, member)
    expect(member.watchers).toBe(1)
    memberships.delete('group 99', member)
    expect(member.watchers).toBe(0)
    memberships.add('again', member)
    expect(member.watchers).toBe(1)
    memberships.leaveAll(member)
    expect(member.watchers).toBe(0)
    memberships.add('again', member)
    member.end()
    expect([memberships.groupCount, memberships.memberCount, member.watchers]).toEqual([0, 0, 0])
  })

  test('leaves no listener on a member that has left 10,000 hubs', () => {
    const member = new FakeMember()
    for (let count = 0; count < 10_000; count++) {
      const memberships = new Memberships()
      memberships.add('g', member)
      if (count % 2 === 0) memberships.delete('g', member)
      else memberships.leaveAll(member)
    }
    expect(member.watchers).toBe(0)
  })

  test('leaves no listener on a member whose hubs were dropped', async () => {
    const member = new FakeMember()
    for (let count = 0; count < 10_000; count++) new Memberships().add('g', member)
    for (let round = 0; round < 10 && member.watchers > 0; round++) await collectGarbage()
    expect(member.watchers).toBe(0)
  })

  test('watches a member whose onceClosed returns nothing only once, however often it joins and leaves', () => {
    const memberships = new Memberships()
    const member = new (class extends FakeMember {
      override onceClosed(listener: () => void): void {
        super.onceClosed(listener)
      }
    })()
    for (let count = 0; count < 100; count++) memberships.add(`group ${count}`, member)
    memberships.add('group 0', member)
    expect(member.watchers).toBe(1)
    for (let count = 0; count < 100; count++) memberships.delete(`group ${count}`, member)
    expect([memberships.groupCount, memberships.memberCount]).toEqual([0, 0])
    memberships.add('again', member)
    expect(member.watchers).toBe(1)
    member.end()
    expect([memberships.groupCount, memberships.memberCount]).toEqual([0, 0])
  })

  test('is not kept alive by its members', async () => {
    const member = new FakeMember()
    const reference = (() => {
      const memberships = new Memberships()
      memberships.add('g', member)
      return new WeakRef(memberships)
    })()
    expect(await isCollected(reference)).toBe(true)
    member.end()
  })

  test('removes a member that closes from all groups, and does not let it join again', () => {
    const memberships = new Memberships()
    const [one, other] = [new FakeMember(), new FakeMember()]
    for (const name of ['g', 'h', 'i']) memberships.add(name, one)
    memberships.add('h', other)
    one.end()
    expect([...memberships.groupNames()]).toEqual(['h'])
    expect(memberships.memberCount).toBe(1)
    expect(one.watchers).toBe(0)
    memberships.add('g', one)
    expect(memberships.membersOf('g')).toBeUndefined()
    expect(one.watchers).toBe(0)
  })
})
