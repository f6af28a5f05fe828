import { Inbox } from '#src/relay/inbox.js'
import { expect, test } from 'vitest'
import { turn } from '../support/event-loop.js'

const LIMIT = 100_000

test('an inbox whose queue is full handles a message for each that arrives, in order', async () => {
  const handled: number[] = []
  const inbox = new Inbox(0, (_channel, payload) => handled.push(payload.readUInt32BE(0)))
  const numbers = Array.from({ length: 3 * LIMIT }, (_, number) => number)
  for (const number of numbers) {
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32BE(number)
    inbox.push('channel', payload)
  }
  expect(handled.length).toBeGreaterThanOrEqual(2 * LIMIT)
  const isInOrder = (): boolean => handled.every((number, index) => number === index)
  expect(isInOrder()).toBe(true)
  while (handled.length < numbers.length) await turn()
  expect(isInOrder()).toBe(true)
})

test('an inbox whose queue is full queues what arrives while it handles a message', async () => {
  const handled: string[] = []
  const inbox = new Inbox(0, (channel) => {
    handled.push(channel)
    if (channel === 'first') for (let count = 0; count <= LIMIT; count++) inbox.push('next', Buffer.alloc(0))
  })
  inbox.push('first', Buffer.alloc(0))
  expect(handled).toEqual(['first'])
  inbox.push('last', Buffer.alloc(0))
  expect(handled).toEqual(['first', 'next'])
  while (handled.at(-1) !== 'last') await turn()
  expect(handled).toHaveLength(LIMIT + 3)
})
