import { readFileSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import { Example, type ExampleClient } from '../support/example.js'

let example: Example
beforeEach(async () => {
  example = await Example.forTest('events')
})

async function join(user: string): Promise<ExampleClient> {
  const client = await example.connect(`/chat/${user}`)
  expect(await next(client)).toEqual(['welcome', user])
  return client
}

async function next({ received }: ExampleClient): Promise<unknown> {
  return JSON.parse((await received.next()) as string)
}

function emit({ socket }: ExampleClient, ...message: unknown[]): void {
  socket.send(JSON.stringify(message))
}

/** Emits an event, and waits for its acknowledgement. */
async function ask(client: ExampleClient, event: string, data: unknown, id: number): Promise<unknown> {
  emit(client, event, data, id)
  const [name, result, answered] = (await next(client)) as unknown[]
  expect([name, answered]).toEqual(['ack', id])
  return result
}

test('sends named events to a room, and acknowledges those that ask for it', async () => {
  const [ada, eve, bob] = [await join('ada'), await join('eve'), await join('bob')]
  expect(await ask(ada, 'join', 'lobby', 1)).toBeNull()
  expect(await ask(eve, 'join', 'lobby', 1)).toBeNull()
  expect(await ask(bob, 'join', 'kitchen', 1)).toBeNull()
  expect(await ask(ada, 'say', { room: 'lobby', text: 'hi' }, 2)).toBe(1)
  expect(await next(eve)).toEqual(['said', { user: 'ada', text: 'hi' }])
  expect(await ask(eve, 'leave', 'lobby', 2)).toBe(true)
  expect(await ask(ada, 'say', { room: 'lobby', text: 'hello?' }, 3)).toBe(0)
  emit(bob, 'say', { room: 'kitchen', text: 'unasked' })
  expect(await ask(bob, 'leave', 'kitchen', 2)).toBe(true)
})

test('has a namespace with its own events for each route', async () => {
  const ada = await join('ada')
  await ask(ada, 'join', 'lobby', 1)
  const admin = await example.connect('/admin')
  expect(await ask(admin, 'rooms', null, 1)).toEqual([
    { name: 'user ada', size: 1 },
    { name: 'room lobby', size: 1 },
  ])
  await expect(example.connect('/nowhere')).rejects.toMatchObject({ status: 404 })
})

test('sends from outside a handler to all sockets of a user', async () => {
  const [phone, laptop, eve] = [await join('ada'), await join('ada'), await join('eve')]
  const response = await fetch(example.http('/notify/ada'), { method: 'POST' })
  expect(await response.json()).toEqual({ delivered: 2 })
  expect([await next(phone), await next(laptop)]).toEqual([
    ['notice', 'You have mail'],
    ['notice', 'You have mail'],
  ])
  expect(await ask(eve, 'leave', 'nothing', 1)).toBe(false)
  expect((await fetch(example.http('/notify/ada'))).status).toBe(404)
})

test.each(['not json', '["nothing"]', '["__proto__"]'])(
  'closes with 1011 for %s, and keeps serving the other clients',
  async (message) => {
    const [bad, good] = [await join('eve'), await join('ada')]
    bad.socket.send(message)
    expect(await bad.closed).toMatchObject({ code: 1011 })
    await example.program.line(/Failed for 127\.0\.0\.1: /)
    expect(await ask(good, 'join', 'lobby', 1)).toBeNull()
  },
)

test('needs less than 60 lines of server code', () => {
  const code = ['events.js', 'server.js']
    .map((name) => readFileSync(new URL(`../../examples/events/${name}`, import.meta.url), 'utf8'))
    .join('\n')
    .split('\n')
    .filter((line) => !/^\s*(\/\/|\/?\*|$)/.test(line))
  expect(code.length).toBeLessThan(60)
})

test('closes its clients with 1001 on SIGTERM and exits', async () => {
  await example.expectToStop(await join('ada'), await example.connect('/admin'))
})
