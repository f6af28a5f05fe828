import { once } from 'node:events'
import { connect, type Params, type Path } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { matchPath, PathMatcher, pathnameOf } from '#src/server/path.js'
import { openAsClient } from '../support/raw-handshake.js'
import { refused } from '../support/refused.js'
import { requestWith } from '../support/request.js'
import { runningServer } from '../support/running-server.js'
import { uncaught } from '../support/uncaught.js'

describe('pathnameOf', () => {
  test.each([
    ['/', '/'],
    ['/chat', '/chat'],
    ['/chat?a=/b', '/chat'],
    ['/?', '/'],
    ['//two', '//two'],
    ['http://a.example/chat/?x', '/chat/'],
    ['http://a.example', '/'],
    ['http://a.example?x=/y', '/'],
  ])('returns for %s the path %s', (url, pathname) => {
    expect(pathnameOf(requestWith({ url }))).toBe(pathname)
  })

  test('returns / for a request without a target', () => {
    const request = requestWith({})
    delete request.url
    expect(pathnameOf(request)).toBe('/')
  })
})

describe('matchPath', () => {
  test('matches every request if there is no path', () => {
    expect(matchPath(undefined, requestWith({ url: '/any' }))).toEqual({})
  })

  test('compares a string with the whole path', () => {
    expect(matchPath('/chat', requestWith({ url: '/chat?token=1' }))).toEqual({})
    expect(matchPath('/chat', requestWith({ url: '/chat/' }))).toBeUndefined()
    expect(matchPath('/chat', requestWith({ url: '/Chat' }))).toBeUndefined()
  })

  test('decodes the params from the groups of a pattern', () => {
    const path = /^\/chat\/(?<room>[^/]+)\/(?<thread>\d+)?$/
    expect(matchPath(path, requestWith({ url: '/chat/caf%C3%A9/7' }))).toEqual({ room: 'café', thread: '7' })
    expect(matchPath(path, requestWith({ url: '/chat/a%2Fb/' }))).toEqual({ room: 'a/b' })
    expect(matchPath(path, requestWith({ url: '/chat/100%/' }))).toEqual({ room: '100%' })
    expect(matchPath(path, requestWith({ url: '/chat/' }))).toBeUndefined()
    expect(matchPath(/^\/x/, requestWith({ url: '/xyz' }))).toEqual({})
  })

  test.each(['g', 'y'])('matches a pattern with the flag %s each time', (flags) => {
    const path = new RegExp('^/a$', flags)
    for (let time = 0; time < 3; time++) expect(matchPath(path, requestWith({ url: '/a' }))).toEqual({})
  })

  test('calls a function with the path and the request', () => {
    const path = vi.fn((pathname: string) => pathname === '/yes' || (pathname === '/with' && { id: '1' }))
    const request = requestWith({ url: '/yes?no' })
    expect(matchPath(path, request)).toEqual({})
    expect(path).toHaveBeenLastCalledWith('/yes', request)
    expect(matchPath(path, requestWith({ url: '/no' }))).toBeUndefined()
    expect(matchPath(path, requestWith({ url: '/with' }))).toEqual({ id: '1' })
  })
})

describe('the result of a path function (F27, F46)', () => {
  const answering = (answer: unknown): Params | undefined =>
    matchPath((() => answer) as unknown as Path, requestWith({ url: '/' }))

  test.each([[true], [{}], [{ id: '1' }]])('may be %j for a match', (answer) => {
    expect(answering(answer)).toEqual(answer === true ? {} : answer)
  })

  test.each([[false], [null], [undefined]])('may be %j for no match', (answer) => {
    expect(answering(answer)).toBeUndefined()
  })

  test.each([[0], [1], [''], ['no'], [['a']], [Symbol('a')], [() => true]])(
    'causes a TypeError if it is %j',
    (answer) => {
      expect(() => answering(answer)).toThrow(TypeError)
      expect(() => answering(answer)).toThrow('path must return true or an object of params')
    },
  )

  test.each([
    ['fulfils', (): unknown => Promise.resolve(true)],
    ['rejects', (): unknown => Promise.reject(new Error('late'))],
  ])('causes a TypeError and a 500 if it is a Promise that %s', async (_name, path) => {
    const lost = uncaught()
    const { server, port } = await runningServer({ path: path as Path })
    const failed = once(server, 'error') as Promise<[Error]>
    expect(await refused(port)).toMatchObject({ status: 500 })
    expect((await failed)[0]).toBeInstanceOf(TypeError)
    expect((await failed)[0].message).toContain('path returned a Promise')
    expect(lost).toEqual([])
  })
})

describe('PathMatcher', () => {
  test('calls a path function once per request, unless the URL changes', () => {
    const path = vi.fn((pathname: string) => pathname === '/a')
    const matcher = new PathMatcher(path)
    const request = requestWith({ url: '/a' })
    for (let time = 0; time < 3; time++) expect(matcher.match(request)).toEqual({})
    expect(path).toHaveBeenCalledTimes(1)
    request.url = '/b'
    expect(matcher.match(request)).toBeUndefined()
    expect(path).toHaveBeenCalledTimes(2)
  })
})

test('matches each upgrade with a regular expression once', async () => {
  const path = /^\/(?<room>[a-z]+)$/
  const exec = vi.spyOn(path, 'exec')
  const { port, next } = await runningServer({ path })
  const [{ peer }, { socket }] = await Promise.all([openAsClient(port, {}, '/lobby'), next()])
  expect(socket.params).toEqual({ room: 'lobby' })
  expect(exec).toHaveBeenCalledTimes(1)
  peer.destroy()
})

test.each([
  ['/café', '/caf%C3%A9', true],
  ['/caf%c3%a9', '/caf%C3%A9', true],
  ['/a b', '/a%20b', true],
  ['/a%2Fb', '/a/b', false],
  ['/100%', '/100%25', true],
])('compares the path %s with %s: %s (F31)', (path, url, matches) => {
  expect(matchPath(path, requestWith({ url }))).toEqual(matches ? {} : undefined)
})

describe('a server with a path', () => {
  test('passes the params to the socket, and answers other paths with 404', async () => {
    const running = await runningServer({ path: /^\/room\/(?<room>\w+)$/ })
    const [client, { socket }] = await Promise.all([connect(`${running.url}/room/tea?x=1`), running.next()])
    expect(socket.params).toEqual({ room: 'tea' })
    expect(client.params).toEqual({})
    const { status, body } = await refused(running.port, {}, 'GET /other HTTP/1.1')
    expect([status, body]).toEqual([404, 'No WebSocket server handles this path\n'])
  })

  test("answers with 500 and emits 'error' if the path function throws", async () => {
    const { server, port } = await runningServer({
      path: () => {
        throw new Error('no idea')
      },
    })
    const errors: string[] = []
    server.on('error', (error) => errors.push(error.message))
    expect(await refused(port)).toMatchObject({ status: 500 })
    expect(errors).toEqual(['no idea'])
  })
})
