import { once } from 'node:events'
import { connect, Hub, WebSocket, type Payload } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { inbox, take } from '../support/inbox.js'
import { memoryPair } from '../support/memory-pair.js'
import { openPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'

describe('members', () => {
  test('are listed once, in the order in which they joined', () => {
    const group = new Hub().group('g')
    const [one, other, third] = [new FakeMember(), new FakeMember(), new FakeMember()]
    expect([group.name, group.size, [...group]]).toEqual(['g', 0, []])
    expect(group.add(one).add(other).add(one)).toBe(group)
    expect([...group]).toEqual([one, other])
    expect(group.size).toBe(2)
    expect([one, other, third].map((member) => group.has(member))).toEqual([true, true, false])
    expect(group.delete(third)).toBe(false)
    expect(group.delete(one)).toBe(true)
    group.add(one)
    expect([...group]).toEqual([other, one])
  })

  test('can belong to several servers and clients, in either role', async () => {
    const hub = new Hub()
    const group = hub.group('all')
    const [first, second] = [await openPair(), await openPair({ server: { perMessageDeflate: true } })]
    const other = new WebSocket(first.running.url, { perMessageDeflate: true })
    const [{ socket }] = await Promise.all([first.running.next(), once(other, 'open')])
    const members = [first.socket, second.client, second.socket, other]
    const inboxes = [first.client, second.socket, second.client, socket].map(inbox)
    for (const member of members) group.add(member)
    expect(group.broadcast('to all of them')).toEqual({ delivered: 4, skipped: 0 })
    for (const messages of inboxes) expect(await messages.next()).toBe('to all of them')
  })

  test('leave when they close, whichever end closes, in any way', async () => {
    const hub = new Hub()
    const { url, next } = await runningServer()
    const sockets: WebSocket<undefined>[] = []
    const clients: WebSocket[] = []
    for (let count = 0; count < 4; count++) {
      const [client, { socket }] = await Promise.all([connect(url), next()])
      clients.push(client)
      sockets.push(socket)
      hub.group('g').add(socket).add(client)
    }
    const ends = [...sockets, ...clients].map(closeOf)
    sockets[0]?.close(1000)
    clients[1]?.close(1000)
    sockets[2]?.terminate()
    clients[3]?.terminate()
    await Promise.all(ends)
    expect(hub.stats()).toMatchObject({ groups: 0, members: 0 })
  })

  test('are not added once closed, and leave when they finish closing', async () => {
    const { client, socket } = await openPair()
    const group = new Hub().group('g')
    const closed = closeOf(socket)
    socket.close()
    group.add(socket)
    expect(group.has(socket)).toBe(true)
    expect(group.broadcast('x')).toEqual({ delivered: 0, skipped: 1 })
    await closed
    expect(group.has(socket)).toBe(false)
    await settled()
    expect(group.add(client).add(socket).size).toBe(0)
  })

  test('miss what is broadcast while they are connecting', async () => {
    const { url, next } = await runningServer()
    const group = new Hub().group('g')
    const client = new WebSocket(url)
    group.add(client)
    expect(group.broadcast('too early')).toEqual({ delivered: 0, skipped: 1 })
    const [{ socket }] = await Promise.all([next(), once(client, 'open')])
    const messages = inbox(socket)
    expect(group.broadcast('now')).toEqual({ delivered: 1, skipped: 0 })
    expect(await messages.next()).toBe('now')

    const refused = new WebSocket('ws://127.0.0.1:1/')
    group.add(refused)
    await closeOf(refused)
    expect([...group]).toEqual([client])
  })
})

describe('a broadcast', () => {
  test.each<[string, Payload, boolean | undefined, string | Buffer]>([
    ['text', 'grüße 🙂', undefined, 'grüße 🙂'],
    ['empty text', '', undefined, ''],
    ['a number, as text', 42, undefined, '42'],
    ['bytes', Buffer.of(1, 2, 255), undefined, Buffer.of(1, 2, 255)],
    ['an ArrayBuffer', new Uint8Array([1, 2]).buffer, undefined, Buffer.of(1, 2)],
    ['a view of wider elements', Uint16Array.of(0x0201), undefined, Buffer.of(1, 2)],
    ['bytes as text', Buffer.from('text'), false, 'text'],
    ['text as bytes', 'bytes', true, Buffer.from('bytes')],
  ])('of %s', async (_name, data, binary, expected) => {
    const { client, socket } = await openPair()
    const group = new Hub().group('g').add(socket).add(client)
    const messages = [inbox(client), inbox(socket)]
    group.broadcast(data, binary === undefined ? {} : { binary })
    for (const queue of messages) expect(await queue.next()).toEqual(expected)
  })

  test.each([
    ['an object', {}],
    ['undefined', undefined],
    ['null', null],
    ['a Blob, which would have to be read first', new Blob(['x'])],
  ])('of %s is a TypeError, with or without members, and is not counted', (_name, data) => {
    const hub = new Hub()
    const member = new FakeMember()
    hub.group('g').add(member)
    for (const name of ['g', 'empty']) {
      expect(() => hub.broadcast(name, data as string)).toThrow(TypeError)
      expect(() => hub.broadcast(name, data as string)).toThrow(/A payload is/)
    }
    expect(member.delivered).toEqual([])
    expect(hub.stats()).toMatchObject({ broadcasts: 0, delivered: 0, skipped: 0 })
  })

  test('excludes one member, several, or a socket that is not a member', () => {
    const members = Array.from({ length: 4 }, () => new FakeMember())
    const [one, two, three] = members as [FakeMember, FakeMember, FakeMember]
    const group = new Hub().group('g')
    for (const member of members) group.add(member)
    expect(group.broadcast('not one', { except: one })).toEqual({ delivered: 3, skipped: 0 })
    expect(group.broadcast('not two, three', { except: new Set([two, three, new FakeMember()]) })).toEqual({
      delivered: 2,
      skipped: 0,
    })
    expect(group.broadcast('all', { except: new FakeMember() })).toEqual({ delivered: 4, skipped: 0 })
    expect(group.broadcast('all too', { except: new Set() })).toEqual({ delivered: 4, skipped: 0 })
    expect(group.broadcast('all again', { except: undefined })).toEqual({ delivered: 4, skipped: 0 })
    expect(group.broadcast('none', { except: new Set(group) })).toEqual({ delivered: 0, skipped: 0 })
    const all = ['all', 'all too', 'all again']
    expect(members.map((member) => member.delivered)).toEqual([
      ['not two, three', ...all],
      ['not one', ...all],
      ['not one', ...all],
      ['not one', 'not two, three', ...all],
    ])
  })

  test('copies its bytes, which can be changed once it has returned', async () => {
    const { client, socket } = await openPair()
    const group = new Hub().group('g').add(socket).add(client)
    const messages = [inbox(client), inbox(socket)]
    for (const length of [100, 100_000]) {
      const data = Buffer.alloc(length, 'before')
      group.broadcast(data)
      data.fill('after!')
      for (const queue of messages) {
        expect(Buffer.alloc(length, 'before').equals((await queue.next()) as Buffer)).toBe(true)
      }
    }
  })

  test('keeps its order among messages to a single member', async () => {
    const [one, other] = [await memoryPair(), await memoryPair()]
    const group = new Hub().group('g').add(one.socket).add(other.socket)
    const inboxes = [inbox(one.client), inbox(other.client)] as const
    one.socket.send('1')
    group.broadcast('2')
    one.socket.send('3')
    group.broadcast('4')
    group.broadcast('5', { except: one.socket })
    group.broadcast('6'.repeat(20_000))
    one.socket.ping()
    group.broadcast('7')
    expect(await take(inboxes[0], 6)).toEqual(['1', '2', '3', '4', '6'.repeat(20_000), '7'])
    expect(await take(inboxes[1], 5)).toEqual(['2', '4', '5', '6'.repeat(20_000), '7'])
  })

  test('waits for the last fragment of a member’s own message', async () => {
    const [one, other] = [await memoryPair(), await memoryPair()]
    const group = new Hub().group('g').add(one.socket).add(other.socket).add(other.client)
    const inboxes = [inbox(one.client), inbox(other.client), inbox(other.socket)] as const
    one.socket.send('a', { fin: false })
    other.client.send('x', { fin: false })
    expect(group.broadcast('first')).toEqual({ delivered: 3, skipped: 0 })
    expect(await inboxes[1].next()).toBe('first')
    one.socket.send('b', { fin: false })
    group.broadcast('second')
    one.socket.send('c')
    other.client.send('y')
    group.broadcast('third')
    expect(await take(inboxes[0], 4)).toEqual(['abc', 'first', 'second', 'third'])
    expect(await take(inboxes[1], 2)).toEqual(['second', 'third'])
    expect(await take(inboxes[2], 4)).toEqual(['xy', 'first', 'second', 'third'])
    expect(one.socket.bufferedAmount).toBe(0)
  })
})

describe('close()', () => {
  test('begins the closing handshake with every member, after what was broadcast', async () => {
    const pairs = [await memoryPair(), await memoryPair({ server: { perMessageDeflate: true } })]
    const group = new Hub().group('g')
    for (const { socket } of pairs) group.add(socket)
    const inboxes = pairs.map(({ client }) => inbox(client))
    const closes = pairs.map(({ client }) => closeOf(client))
    group.broadcast('the last')
    group.close(4001, 'over')
    for (const queue of inboxes) expect(await queue.next()).toBe('the last')
    for (const close of closes)
      expect(await close).toMatchObject({ code: 4001, reason: 'over', wasClean: true })
    expect(group.size).toBe(0)
  })

  test('accepts an optional code, and throws for one that may not be sent', async () => {
    const { client, socket } = await memoryPair()
    const group = new Hub().group('g').add(socket)
    expect(() => {
      group.close(1006)
    }).toThrow(TypeError)
    expect(socket.readyState).toBe(WebSocket.OPEN)
    const closed = closeOf(client)
    group.close()
    expect((await closed).code).toBe(1005)
  })
})
