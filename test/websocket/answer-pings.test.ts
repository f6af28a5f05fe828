import { once } from 'node:events'
import { answerPings } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox } from '../support/inbox.js'
import { openPair } from '../support/open-pair.js'

describe('answerPings()', () => {
  test.each(['{"action":"ping"}', ' { "action" : "ping" } ', '{"action":"ping","at":1}'])(
    'answers %s without delivering it',
    async (ping) => {
      const { client, socket: server } = await openPair()
      const [answers, received] = [inbox(client), inbox(server)]
      answerPings(server)
      client.send(ping)
      client.send('a message')
      expect(await answers.next()).toBe('{"type":"pong"}')
      expect(await received.next()).toBe('a message')
    },
  )

  test.each(['{"action":"pingpong"}', '{"text":"{\\"action\\":\\"ping\\"}"}', '["action"]', ''])(
    'delivers %s to the application',
    async (message) => {
      const { client, socket: server } = await openPair()
      const [answers, received] = [inbox(client), inbox(server)]
      answerPings(server, null)
      client.send(message)
      expect(await received.next()).toBe(message)
      client.send('{"action":"ping"}')
      expect(await answers.next()).toBe('{"type":"pong"}')
    },
  )

  test('delivers binary messages to the application', async () => {
    const { client, socket: server } = await openPair()
    const received = inbox(server)
    answerPings(server)
    client.send(Buffer.from('{"action":"ping"}'))
    expect(await received.next()).toEqual(Buffer.from('{"action":"ping"}'))
  })

  test('uses a custom isPing and answer', async () => {
    const { client, socket: server } = await openPair()
    const answers = inbox(client)
    answerPings(server, {
      isPing: (data, isBinary) => isBinary && (data as Buffer).length === 1,
      answer: new Uint8Array([2]),
    })
    client.send(Buffer.from([1]))
    expect(await answers.next()).toEqual(Buffer.from([2]))
  })

  test('hides pings from a for await loop', async () => {
    const { client, socket: server } = await openPair()
    answerPings(server)
    for (const message of ['one', '{"action":"ping"}', 'two']) client.send(message)
    client.close()
    const received = []
    for await (const message of server) received.push(message)
    expect(received).toEqual(['one', 'two'])
  })

  test('closes the connection with 1011 when isPing throws', async () => {
    const { client, socket: server, running } = await openPair()
    const failed = once(running.server, 'error')
    answerPings(server, {
      isPing: () => {
        throw new Error('a mistake')
      },
    })
    const closed = closeOf(client)
    client.send('anything')
    expect(await closed).toMatchObject({ code: 1011 })
    expect(await failed).toEqual([new Error('a mistake'), server])
  })

  test('throws for an answer that cannot be sent', async () => {
    const { socket: server } = await openPair()
    expect(() => {
      answerPings(server, { answer: {} as string })
    }).toThrow(TypeError)
  })
})
