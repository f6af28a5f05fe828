import {
  bearerToken,
  connect,
  cookieToken,
  queryToken,
  refuse,
  subprotocolToken,
  type WebSocketServerOptions,
} from 'hubwire'
import { describe, expect, test } from 'vitest'
import { withoutSecrets } from '#src/server/admission/credentials.js'
import { openAsClient } from '../../support/raw-handshake.js'
import { requestWith } from '../../support/request.js'
import { runningServer } from '../../support/running-server.js'

test.each([
  ['Bearer abc.def', 'abc.def'],
  ['bearer   abc', 'abc'],
  ['Bearer aZ0-._~+/9==', 'aZ0-._~+/9=='],
  ['bearerX', undefined],
  ['bearer', undefined],
  ['Bearer a b', undefined],
  ['Bearer a,b', undefined],
  ['Bearer a=b', undefined],
  ['Bearer\tabc', undefined],
  ['Basic abc', undefined],
  ['Bearer ', undefined],
  ['Bearer', undefined],
  ['', undefined],
  [undefined, undefined],
])('bearerToken reads the scheme and a token68: from %j it returns %j (F26)', (authorization, token) => {
  expect(bearerToken(requestWith({ headers: authorization === undefined ? {} : { authorization } }))).toBe(
    token,
  )
})

test.each([
  ['/?token=a%20b', 'token', 'a b'],
  ['/chat?x=1&key=k', 'key', 'k'],
  ['/?token=1&token=2', 'token', '1'],
  ['/?other=1', 'token', undefined],
  ['/token=1', 'token', undefined],
])('queryToken reads a parameter: from %s with the name %s it returns %j', (url, name, token) => {
  expect(queryToken(requestWith({ url }), name)).toBe(token)
})

test('queryToken reads the parameter token by default, and accepts a request without a target', () => {
  expect(queryToken(requestWith({ url: '/?token=t' }))).toBe('t')
  const request = requestWith({})
  delete request.url
  expect(queryToken(request)).toBeUndefined()
})

test.each([
  ['sid=abc', 'abc'],
  ['a=1; sid=abc; b=2', 'abc'],
  ['a=1;sid = abc', 'abc'],
  ['sid="quoted"', 'quoted'],
  ['sid="', '"'],
  ['sid=a=b', 'a=b'],
  ['sid=', ''],
  ['xsid=1; sid', undefined],
  ['', undefined],
  [undefined, undefined],
])('cookieToken reads a cookie: from %j it returns %j', (cookie, token) => {
  expect(cookieToken(requestWith({ headers: cookie === undefined ? {} : { cookie } }), 'sid')).toBe(token)
})

describe('subprotocolToken', () => {
  test.each([
    ['chat, token.abc', 'abc'],
    ['token., token.x', 'x'],
    ['token.', undefined],
    ['chat', undefined],
    [undefined, undefined],
  ])('reads the token after the prefix: from %j it returns %j', (offer, token) => {
    const request = requestWith({ headers: offer === undefined ? {} : { 'sec-websocket-protocol': offer } })
    expect(subprotocolToken(request, 'token.')).toBe(token)
  })

  test('removes every subprotocol with a requested token from the offer', () => {
    const request = requestWith({ headers: { 'sec-websocket-protocol': 'a.1, chat, b.2' } })
    const offered = new Set(['a.1', 'chat', 'b.2'])
    expect(withoutSecrets(offered, request)).toBe(offered)
    subprotocolToken(request, 'a.')
    subprotocolToken(request, 'b.')
    expect([...withoutSecrets(offered, request)]).toEqual(['chat'])
  })

  const options: WebSocketServerOptions<string> = {
    authenticate: (request) => subprotocolToken(request, 'token.') ?? refuse(401),
  }

  test('is never selected as the subprotocol', async () => {
    const running = await runningServer(options)
    const [client, { socket }] = await Promise.all([
      connect(running.url, ['token.secret', 'chat']),
      running.next(),
    ])
    expect([client.protocol, socket.protocol, socket.user]).toEqual(['chat', 'chat', 'secret'])
    // Not even if it is the only offer, although a client may then fail for lack of a subprotocol.
    const { response } = await openAsClient(running.port, { 'Sec-WebSocket-Protocol': 'token.secret' })
    expect(response.fields.has('sec-websocket-protocol')).toBe(false)
  })

  test('is not passed to handleProtocols', async () => {
    const offers: string[][] = []
    const running = await runningServer({
      ...options,
      handleProtocols: (protocols) => {
        offers.push([...protocols])
        return false
      },
    })
    await openAsClient(running.port, { 'Sec-WebSocket-Protocol': 'a, token.secret' })
    expect(offers).toEqual([['a']])
  })
})
