import {
  connect,
  refuse,
  routes,
  WebSocketServer,
  type WebSocket,
  type WebSocketServerOptions,
} from 'hubwire'
import { expect, expectTypeOf, test } from 'vitest'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { endWithTest } from '../support/running-server.js'

interface User {
  readonly name: string
}

// `npm run typecheck` checks the expectations about types.

test('the type of socket.user is what authenticate returns besides refusals', async () => {
  const inferred = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    authenticate: async (request) => {
      await Promise.resolve()
      return request.url === '/ada' ? { name: 'ada', age: 36 } : refuse(401)
    },
  })
  endWithTest(inferred)
  expectTypeOf(inferred).toEqualTypeOf<WebSocketServer<{ name: string; age: number }>>()
  await once(inferred, 'listening')
  const connected = new Promise<WebSocket<{ name: string; age: number }>>((resolve) => {
    inferred.on('connection', (socket) => {
      expectTypeOf(socket.user).toEqualTypeOf<{ name: string; age: number }>()
      resolve(socket)
    })
  })
  const url = `ws://127.0.0.1:${(inferred.address() as AddressInfo).port}`
  await connect(`${url}/ada`)
  expect((await connected).user.age).toBe(36)
  await expect(connect(`${url}/eve`)).rejects.toMatchObject({ status: 401 })
})

test('a user that is never undefined needs authenticate (F33)', () => {
  // @ts-expect-error authenticate is missing
  const server = new WebSocketServer<User>({ noServer: true })
  server.close()
  // @ts-expect-error authenticate is missing
  routes<User>({}, { noServer: true }).close()
  const maybe = new WebSocketServer<User | undefined>({ noServer: true })
  maybe.on('connection', (socket) => {
    expectTypeOf(socket.user).toEqualTypeOf<User | undefined>()
  })
  const options: WebSocketServerOptions<User> = { noServer: true, authenticate: () => ({ name: 'ada' }) }
  new WebSocketServer(options).close()
})

test('the type of socket.user is undefined by default, and the type parameter otherwise', () => {
  const server = new WebSocketServer({ noServer: true })
  server.on('connection', (socket) => {
    expectTypeOf(socket.user).toEqualTypeOf<undefined>()
  })
  const named = new WebSocketServer<User>({ noServer: true, authenticate: () => ({ name: 'ada' }) })
  named.on('connection', (socket) => {
    expectTypeOf(socket.user).toEqualTypeOf<User>()
  })
  for (const each of named.clients ?? []) expectTypeOf(each.user).toEqualTypeOf<User>()
  expect(server.clients?.size).toBe(0)
})
