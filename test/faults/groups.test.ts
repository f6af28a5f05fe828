import { once } from 'node:events'
import { connect, Hub, type WebSocket } from 'hubwire'
import { expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { inbox, take } from '../support/inbox.js'
import { pausedClient } from '../support/paused-client.js'
import { runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'

interface Membership {
  client: WebSocket
  socket: WebSocket<undefined>
}

async function members(count: number): Promise<{ hub: Hub; all: Membership[] }> {
  const { url, next } = await runningServer()
  const hub = new Hub()
  const all: Membership[] = []
  for (let index = 0; index < count; index++) {
    const [client, { socket }] = await Promise.all([connect(url), next()])
    // Without a consumer, a client's messages wait, and the Close frame waits after them.
    client.on('message', () => {})
    hub.group('all').add(socket)
    all.push({ client, socket })
  }
  return { hub, all }
}

test('lets members leave or close while a broadcast runs (uWebSockets)', async () => {
  const errors = uncaught()
  const { hub, all } = await members(8)
  const group = hub.group('all')
  const rest = inbox(all[7]!.client)
  for (const [index, { client, socket }] of all.entries()) {
    socket.on('message', (data) => {
      // Every member changes the group in a different way within its message, which it then forwards.
      if (index % 4 === 0) group.delete(socket)
      else if (index % 4 === 1) socket.close(4000)
      else if (index % 4 === 2) socket.terminate()
      group.broadcast(data)
    })
    client.send(`from ${index}`)
  }
  const expected = Array.from({ length: 8 }, (_, index) => `from ${index}`)
  expect((await take(rest, 8)).sort()).toEqual(expected)
  await settled()
  expect([...group]).toEqual([all[3]!.socket, all[7]!.socket])
  expect(errors).toEqual([])
})

test('allows closing a group within a broadcast, and a broadcast within a close', async () => {
  const { hub, all } = await members(3)
  const group = hub.group('all')
  const closes = Promise.all(all.map(({ client }) => closeOf(client)))
  all[0]!.socket.on('message', () => {
    group.broadcast('last words')
    group.close(4001, 'over')
    expect(group.broadcast('too late')).toEqual({ delivered: 0, skipped: 3 })
  })
  all[1]!.socket.on('close', () => group.broadcast('from close'))
  const words = all.map(({ client }) => once(client, 'message'))
  all[0]!.client.send('x')
  expect(await Promise.all(words)).toEqual(all.map(() => ['last words', false]))
  for (const close of await closes)
    expect(close).toMatchObject({ code: 4001, reason: 'over', wasClean: true })
  await settled()
  expect(hub.stats()).toMatchObject({ groups: 0, members: 0 })
})

test('reports every message that it drops (channels, capacity 100)', async () => {
  const { port, next } = await runningServer({ slowPolicy: 'skip', maxBufferedAmount: 100_000 })
  const [slow, { socket }] = await Promise.all([pausedClient(port), next()])
  const hub = new Hub()
  const group = hub.group('g').add(socket)
  let result = group.broadcast(Buffer.alloc(50_000))
  while (result.skipped === 0) {
    await settled()
    result = group.broadcast(Buffer.alloc(50_000))
  }
  expect(result).toEqual({ delivered: 0, skipped: 1 })
  expect(hub.stats().skipped).toBe(1)
  slow.destroy()
})
