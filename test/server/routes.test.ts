import { connect, type RouteHandler, routes, type WebSocketServer } from 'hubwire'
import type { IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { startHttp } from '../support/http-server.js'
import { inbox } from '../support/inbox.js'
import { refused } from '../support/refused.js'
import { endWithTest } from '../support/running-server.js'

async function portOf(server: WebSocketServer): Promise<number> {
  endWithTest(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('routes()', () => {
  const table: Record<string, RouteHandler> = {
    '/ws/echo': (socket) => socket.on('message', (data) => socket.send(`echo ${data as string}`)),
    '/ws/chat/:room/': (socket) => socket.send(JSON.stringify(socket.params)),
    '/ws/:kind/:id': (socket) => socket.send(`${socket.params.kind} and ${socket.params.id}`),
    '/ws/a.b(c)/': (socket) => socket.send('literal'),
  }

  test('calls the handler of each path, with its params', async () => {
    const port = await portOf(routes(table, { port: 0, host: '127.0.0.1' }))
    const first = async (path: string): Promise<unknown> => {
      const client = await connect(`ws://127.0.0.1:${port}${path}`)
      return inbox(client).next()
    }
    const echo = await connect(`ws://127.0.0.1:${port}/ws/echo?really`)
    const answers = inbox(echo)
    echo.send('hello')
    expect(await answers.next()).toBe('echo hello')
    expect(await first('/ws/chat/caf%C3%A9/')).toBe('{"room":"café"}')
    expect(await first('/ws/user/7')).toBe('user and 7')
    expect(await first('/ws/a.b(c)/')).toBe('literal')
  })

  test('compares patterns and paths in a normalized form (F31)', async () => {
    const handlers: Record<string, RouteHandler> = {}
    for (const pattern of ['/café', '/a b', '/caf%C3%A9/:name', '/a%2Fb', '/~user/(x)!', '/+']) {
      handlers[pattern] = (socket) => socket.send(JSON.stringify([pattern, socket.params]))
    }
    const port = await portOf(routes(handlers, { port: 0, host: '127.0.0.1' }))
    const first = async (path: string): Promise<unknown> => {
      const client = await connect(`ws://127.0.0.1:${port}${path}`)
      return inbox(client).next()
    }
    expect(await first('/café')).toBe('["/café",{}]')
    expect(await first('/caf%c3%a9')).toBe('["/café",{}]')
    expect(await first('/a%20b')).toBe('["/a b",{}]')
    expect(await first('/café/na%C3%AFve%2F')).toBe('["/caf%C3%A9/:name",{"name":"naïve/"}]')
    expect(await first('/a%2fb')).toBe('["/a%2Fb",{}]')
    expect(await first('/%7Euser/(x)!')).toBe('["/~user/(x)!",{}]')
    expect(await first('/%2B')).toBe('["/+",{}]')
    expect((await refused(port, {}, 'GET /a/b HTTP/1.1')).status).toBe(404)
  })

  test('refuses a path that matches no pattern with 404', async () => {
    const server = routes(table, { port: 0, host: '127.0.0.1' })
    const port = await portOf(server)
    for (const path of ['/', '/ws/chat/', '/ws/chat/a/b/', '/ws/chat//', '/ws/aXb(c)/']) {
      expect((await refused(port, {}, `GET ${path} HTTP/1.1`)).status).toBe(404)
    }
    expect(server.stats()).toMatchObject({ connections: 0, accepted: 0 })
  })

  test('passes the request and the user to the handler, on a shared http.Server', async () => {
    const { http, port } = await startHttp()
    const seen: [string, IncomingMessage['url']][] = []
    const server = routes<string>(
      { '/:name': (socket, request) => seen.push([socket.user, request.url]) },
      { server: http, authenticate: () => 'somebody' },
    )
    endWithTest(server)
    await connect(`ws://127.0.0.1:${port}/anything?x=1`)
    expect(seen).toEqual([['somebody', '/anything?x=1']])
  })

  test('closes the connection with 1011 if its handler rejects', async () => {
    const server = routes(
      { '/fails': (socket) => (socket.on('error', () => {}), Promise.reject(new Error('a bug'))) },
      { port: 0, host: '127.0.0.1' },
    )
    const client = await connect(`ws://127.0.0.1:${await portOf(server)}/fails`)
    expect(await closeOf(client)).toMatchObject({ code: 1011 })
  })

  test.each(['ws/echo', '', '/ws/:', '/ws/:1', '/:a-b'])(
    'throws a TypeError for the pattern %j',
    (pattern) => {
      expect(() => routes({ [pattern]: () => {} }, { noServer: true })).toThrow(TypeError)
    },
  )
})
