import {
  anonymous,
  connect,
  refuse,
  routes,
  WebSocketServer,
  type WebSocket,
  type WebSocketServerOptions,
} from 'hubwire'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { endWithTest } from '../support/running-server.js'

interface User {
  readonly name: string
}

// `npm run typecheck` checks the expectations about types.

test('gives socket.user the type that authenticate returns, without refusals', async () => {
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

test('requires authenticate for a user type without undefined (F33)', () => {
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

test('gives socket.user the type parameter as its type, and undefined by default', () => {
  const server = new WebSocketServer({ noServer: true })
  server.on('connection', (socket) => {
    expectTypeOf(socket.user).toEqualTypeOf<undefined>()
  })
  const named = new WebSocketServer<User>({ noServer: true, authenticate: () => ({ name: 'ada' }) })
  named.on('connection', (socket) => {
    expectTypeOf(socket.user).toEqualTypeOf<User>()
  })
  for (const each of named.clients) expectTypeOf(each.user).toEqualTypeOf<User>()
  expect(server.clients.size).toBe(0)
})

describe('the return type of authenticate (N1)', () => {
  const sessions = new Map<string, User>([['/ada', { name: 'ada' }]])
  const sessionOf = ({ url = '' }: IncomingMessage): User | undefined => sessions.get(url)

  test('does not compile if a result is not a user', () => {
    const noServer = true
    // @ts-expect-error false is not a user
    new WebSocketServer({ noServer, authenticate: () => false }).close()
    // @ts-expect-error a boolean is not a user
    new WebSocketServer({ noServer, authenticate: (request) => request.url === '/ada' }).close()
    // @ts-expect-error undefined is not a user
    new WebSocketServer({ noServer, authenticate: () => {} }).close()
    // @ts-expect-error null is not a user
    new WebSocketServer({ noServer, authenticate: () => null }).close()
    // @ts-expect-error a session may be missing
    new WebSocketServer({ noServer, authenticate: (request) => sessionOf(request) }).close()
    // @ts-expect-error an awaited session may be missing
    new WebSocketServer({ noServer, authenticate: async (request) => sessionOf(request) }).close()
    // @ts-expect-error a session may be missing, with routes
    routes({}, { noServer, authenticate: (request) => sessionOf(request) }).close()
    // @ts-expect-error anonymous is not a User
    new WebSocketServer<User>({ noServer, authenticate: () => anonymous }).close()
    // @ts-expect-error a Promise of undefined is not a User
    new WebSocketServer({ noServer, authenticate: () => new Promise<undefined>(() => {}) }).close()
    const maybe = new WebSocketServer<User | undefined>({
      noServer,
      // @ts-expect-error a type that allows undefined does not make it an answer
      authenticate: (request) => sessionOf(request),
    })
    maybe.close()
  })

  test('becomes the type of socket.user, without refusals, and with undefined for anonymous', async () => {
    const noServer = true
    const strict = new WebSocketServer({ noServer, authenticate: (r) => sessionOf(r) ?? refuse(401) })
    strict.on('connection', ({ user }) => expectTypeOf(user).toEqualTypeOf<User>())
    const late = new WebSocketServer({ noServer, authenticate: async (r) => sessionOf(r) ?? anonymous })
    late.on('connection', ({ user }) => expectTypeOf(user).toEqualTypeOf<User | undefined>())
    const all = new WebSocketServer({
      noServer,
      authenticate: (r) => (r.url === '/no' ? refuse(401) : (sessionOf(r) ?? anonymous)),
    })
    all.on('connection', ({ user }) => expectTypeOf(user).toEqualTypeOf<User | undefined>())
    const nobody = new WebSocketServer({ noServer, authenticate: () => anonymous })
    nobody.on('connection', ({ user }) => expectTypeOf(user).toEqualTypeOf<undefined>())
    const never = new WebSocketServer({ noServer, authenticate: () => refuse(403) })
    never.on('connection', ({ user }) => expectTypeOf(user).toEqualTypeOf<never>())
    const text = new WebSocketServer({ noServer, authenticate: () => '' })
    text.on('connection', ({ user }) => expectTypeOf(user).toEqualTypeOf<string>())
    // A user may itself have a property `user`.
    const named = new WebSocketServer({ noServer, authenticate: () => ({ user: 'ada' }) })
    named.on('connection', ({ user }) => expectTypeOf(user).toEqualTypeOf<{ user: string }>())
    const routed = routes(
      { '/': (socket) => expectTypeOf(socket.user).toEqualTypeOf<User | undefined>() },
      { noServer, authenticate: (r: IncomingMessage) => sessionOf(r) ?? anonymous },
    )
    routed.on('connection', ({ user }) => expectTypeOf(user).toEqualTypeOf<User | undefined>())
    for (const server of [strict, late, all, nobody, never, text, named, routed]) {
      expect(server.clients.size).toBe(0)
      server.close()
    }
  })
})
