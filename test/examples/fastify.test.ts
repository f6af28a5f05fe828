import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Example, type ExampleClient } from '../support/example.js'
import { refused } from '../support/refused.js'

let example: Example
beforeAll(async () => {
  example = await Example.start('fastify')
})
afterAll(() => example.program.stop())

/** Connects a member of a room, and expects the number of its members. */
async function member(room: string, size: number, of = example): Promise<ExampleClient> {
  const client = await of.connect(`/ws/rooms/${room}`)
  expect(await client.received.next()).toBe(`${size} in ${room}`)
  return client
}

async function leave(...clients: ExampleClient[]): Promise<void> {
  for (const { socket, closed } of clients) {
    socket.close(1000)
    expect(await closed).toMatchObject({ code: 1000, wasClean: true })
  }
}

describe('over HTTP', () => {
  test('lists the rooms in a route', async () => {
    const ada = await member('green', 1)
    const bob = await member('green', 2)
    const eve = await member('blue', 1)
    const response = await fetch(example.http('/rooms'))
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual([
      { name: 'green', size: 2 },
      { name: 'blue', size: 1 },
    ])
    await leave(ada, bob, eve)
  })

  test('answers unknown paths and the path of the WebSocket with 404', async () => {
    for (const path of ['/nothing', '/ws/rooms/green']) {
      const response = await fetch(example.http(path))
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ error: 'Not Found' })
    }
  })
})

describe('over WebSocket', () => {
  test('sends messages and posts to the members of a room', async () => {
    const ada = await member('talk', 1)
    const bob = await member('talk', 2)
    const eve = await member('other', 1)
    ada.socket.send('hello')
    expect(await bob.received.next()).toBe('hello')
    const headers = { 'content-type': 'text/plain' }
    const posted = await fetch(example.http('/rooms/talk'), { method: 'POST', headers, body: 'from HTTP' })
    expect(await posted.json()).toEqual({ delivered: 2, skipped: 0 })
    // The first message of each: Ada does not receive her own, and Eve nothing from the other room.
    expect(await ada.received.next()).toBe('from HTTP')
    expect(await bob.received.next()).toBe('from HTTP')
    await fetch(example.http('/rooms/other'), { method: 'POST', headers, body: 'for Eve' })
    expect(await eve.received.next()).toBe('for Eve')
    await leave(ada, bob, eve)
  })

  test.each(['/ws/nothing', '/ws/rooms/', '/ws/rooms/a/b', '/rooms'])('answers %s with 404', async (path) => {
    expect((await refused(example.port, {}, `GET ${path} HTTP/1.1`)).status).toBe(404)
  })
})

test('closes its clients with 1001 on SIGTERM and exits', async () => {
  const stopping = await Example.forTest('fastify')
  const clients = [
    await member('a', 1, stopping),
    await member('a', 2, stopping),
    await member('b', 1, stopping),
  ]
  await stopping.expectToStop(...clients)
})
