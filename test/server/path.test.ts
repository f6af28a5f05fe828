import { connect } from 'hubwire'
import { describe, expect, test, vi } from 'vitest'
import { matchPath, pathnameOf } from '#src/server/path.js'
import { refused } from '../support/refused.js'
import { requestWith } from '../support/request.js'
import { runningServer } from '../support/running-server.js'

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
  ])('%s has the path %s', (url, pathname) => {
    expect(pathnameOf(requestWith({ url }))).toBe(pathname)
  })

  test('a request without a target has the path /', () => {
    const request = requestWith({})
    delete request.url
    expect(pathnameOf(request)).toBe('/')
  })
})

describe('matchPath', () => {
  test('without a path everything is owned', () => {
    expect(matchPath(undefined, requestWith({ url: '/any' }))).toEqual({})
  })

  test('a string is the whole path', () => {
    expect(matchPath('/chat', requestWith({ url: '/chat?token=1' }))).toEqual({})
    expect(matchPath('/chat', requestWith({ url: '/chat/' }))).toBeUndefined()
    expect(matchPath('/chat', requestWith({ url: '/Chat' }))).toBeUndefined()
  })

  test('the groups of a pattern are params, decoded where they are encoded', () => {
    const path = /^\/chat\/(?<room>[^/]+)\/(?<thread>\d+)?$/
    expect(matchPath(path, requestWith({ url: '/chat/caf%C3%A9/7' }))).toEqual({ room: 'café', thread: '7' })
    expect(matchPath(path, requestWith({ url: '/chat/a%2Fb/' }))).toEqual({ room: 'a/b' })
    expect(matchPath(path, requestWith({ url: '/chat/100%/' }))).toEqual({ room: '100%' })
    expect(matchPath(path, requestWith({ url: '/chat/' }))).toBeUndefined()
    expect(matchPath(/^\/x/, requestWith({ url: '/xyz' }))).toEqual({})
  })

  test.each(['g', 'y'])('a pattern with the flag %s matches each time', (flags) => {
    const path = new RegExp('^/a$', flags)
    for (let time = 0; time < 3; time++) expect(matchPath(path, requestWith({ url: '/a' }))).toEqual({})
  })

  test('a function tells by path and request', () => {
    const path = vi.fn((pathname: string) => pathname === '/yes' || (pathname === '/with' && { id: '1' }))
    const request = requestWith({ url: '/yes?no' })
    expect(matchPath(path, request)).toEqual({})
    expect(path).toHaveBeenLastCalledWith('/yes', request)
    expect(matchPath(path, requestWith({ url: '/no' }))).toBeUndefined()
    expect(matchPath(path, requestWith({ url: '/with' }))).toEqual({ id: '1' })
  })
})

describe('at a server', () => {
  test('params reach the socket; other paths are a 404', async () => {
    const running = await runningServer({ path: /^\/room\/(?<room>\w+)$/ })
    const [client, { socket }] = await Promise.all([connect(`${running.url}/room/tea?x=1`), running.next()])
    expect(socket.params).toEqual({ room: 'tea' })
    expect(client.params).toEqual({})
    const { status, body } = await refused(running.port, {}, 'GET /other HTTP/1.1')
    expect([status, body]).toEqual([404, 'No websocket is served at this path\n'])
  })

  test('a function that throws is a 500, told to the server', async () => {
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
