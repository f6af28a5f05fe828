import { connect, Hub, WebSocket } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'

describe('changes during a broadcast or a handler', () => {
  test('lets members leave, join and close while a broadcast runs', () => {
    const hub = new Hub()
    const group = hub.group('g')
    const newcomer = new FakeMember()
    const leaver = new FakeMember()
    const ending = new FakeMember()
    const actor = new FakeMember(() => {
      group.delete(leaver)
      group.delete(actor)
      group.add(newcomer)
      ending.end()
      hub.leaveAll(ending)
      return true
    })
    for (const member of [actor, leaver, ending]) group.add(member)
    expect(group.broadcast('x')).toEqual({ delivered: 2, skipped: 0 })
    expect([actor, leaver, ending, newcomer].map(({ delivered }) => delivered)).toEqual([
      ['x'],
      [],
      [],
      ['x'],
    ])
    expect([...group]).toEqual([newcomer])
  })

  test('allows a broadcast, or closing the group, within a broadcast', () => {
    const group = new Hub().group('g')
    const last = new FakeMember()
    const actor = new FakeMember((text) => {
      if (text === 'outer') {
        group.broadcast('inner')
        group.close(1001)
        for (const member of [actor, last]) member.end()
      }
      return true
    })
    group.add(actor).add(last)
    expect(group.broadcast('outer')).toEqual({ delivered: 1, skipped: 0 })
    expect(last.delivered).toEqual(['inner'])
    expect(last.closedWith).toEqual([[1001, undefined]])
    expect(group.size).toBe(0)
  })

  test('lets a message handler leave, join, and close one member or all', async () => {
    const errors = uncaught()
    const hub = new Hub()
    const { url, server } = await runningServer()
    server.on('connection', (socket) => {
      const room = hub.group('room').add(socket)
      socket.on('message', (data) => {
        room.broadcast(`before ${data as string}`)
        if (data === 'leave') room.delete(socket)
        if (data === 'rejoin') {
          room.delete(socket)
          room.add(socket)
        }
        if (data === 'end') socket.terminate()
        if (data === 'close') socket.close(4000)
        if (data === 'all') room.close(4001, 'all')
        room.broadcast(`after ${data as string}`)
      })
    })
    const clients = await Promise.all(Array.from({ length: 5 }, () => connect(url)))
    const [first, second, third, fourth, fifth] = clients as [
      WebSocket,
      WebSocket,
      WebSocket,
      WebSocket,
      WebSocket,
    ]
    const all = inbox(fifth)
    const ofFirst = inbox(first)
    const saw = async (word: string): Promise<void> => {
      expect(await take(all, 2)).toEqual([`before ${word}`, `after ${word}`])
    }
    first.send('leave')
    await saw('leave')
    expect(await ofFirst.next()).toBe('before leave')
    second.send('rejoin')
    await saw('rejoin')
    third.send('end')
    await saw('end')
    expect((await closeOf(third)).code).toBe(1006)
    fourth.send('close')
    await saw('close')
    expect((await closeOf(fourth)).code).toBe(4000)
    const closes = [second, fifth].map(closeOf)
    first.send('all')
    expect((await Promise.all(closes)).map(({ code, reason }) => [code, reason])).toEqual([
      [4001, 'all'],
      [4001, 'all'],
    ])
    expect(await all.next()).toBe('before all')
    await settled()
    expect([...hub.group('room')]).toEqual([])
    expect(first.readyState).toBe(WebSocket.OPEN)
    expect(errors).toEqual([])
  })

  test('lets a close handler broadcast to the remaining members, without the closed one', async () => {
    const [one, other] = [await memoryPair(), await memoryPair()]
    const group = new Hub().group('g').add(one.socket).add(other.socket)
    const messages = inbox(other.client)
    one.socket.on('close', () => {
      expect(group.has(one.socket)).toBe(false)
      expect(group.broadcast('one has left')).toEqual({ delivered: 1, skipped: 0 })
    })
    one.client.close()
    expect(await messages.next()).toBe('one has left')
  })
})
