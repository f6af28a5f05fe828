import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  connect,
  createWebSocketStream,
  Hub,
  listen,
  routes,
  WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { WebSocketServer as WsServer } from '#src/ws/websocket-server.js'
import { describe, expect, test } from 'vitest'
import { openAsClient } from '../support/raw-handshake.js'
import { refused } from '../support/refused.js'
import { endWithTest, runningServer } from '../support/running-server.js'

const construct = (options: unknown): WebSocketServer =>
  new WebSocketServer(options as WebSocketServerOptions)

describe('throws for a mistake in the options, and says what to write (N7)', () => {
  test.each<[string, object, RegExp]>([
    ['origins without a scheme', { origins: 'x.example' }, /origins .* has "x\.example": write 'https:/],
    ['origins with a slash', { origins: ['https://x.example/'] }, /write 'https:\/\/x\.example'$/],
    ['origins with a path', { origins: 'https://x.example/chat' }, /write 'https:\/\/x\.example'$/],
    ['origins with a default port', { origins: ['https://x.example:443'] }, /write 'https:\/\/x\.example'$/],
    ['origins in capitals', { origins: ['https://X.example'] }, /write 'https:\/\/x\.example'$/],
    ['origins that are empty', { origins: [] }, /origins is an empty array.*origins: \(\) => false/],
    ['autoPong as text', { autoPong: 'false' }, /autoPong must be .* it is "false": write autoPong: false$/],
    ['clientTracking as 0', { clientTracking: 0 }, /clientTracking .* it is 0: write clientTracking: false$/],
    [
      'perMessageDeflate as text',
      { perMessageDeflate: 'on' },
      /perMessageDeflate .* it is "on": write perM.*: true$/,
    ],
    ['origins that are true', { origins: true }, /origins .* has true/],
    ['a path without a slash', { path: 'chat' }, /path must begin with a slash: "chat"\. Write "\/chat"/],
    ['a parameter without a name', { path: '/chat/:' }, /parameter .* must be a colon and a name/],
    ['a path that is a number', { path: 5 }, /path must be .*; it is 5/],
    ['a heartbeat that is true', { heartbeat: true }, /heartbeat must be false, milliseconds .*; it is true/],
    ['a heartbeat as text', { heartbeat: '5s' }, /heartbeat must be .*; it is "5s"/],
    ['a heartbeat of 0', { heartbeat: 0 }, /heartbeat\.interval .* it is 0 \(heartbeat: false/],
    [
      'a heartbeat with a time as text',
      { heartbeat: { interval: '5' } },
      /heartbeat\.interval .*; it is "5"/,
    ],
    [
      'a misspelt time of the heartbeat',
      { heartbeat: { intervall: 5 } },
      /heartbeat\.intervall .* heartbeat\.interval$/,
    ],
    [
      'a rate that is a number',
      { messageRate: 5 },
      /messageRate must be \{ perSecond, burst \}; it is 5: write messageRate: \{ perSecond: 100 \}$/,
    ],
    ['a rate that is true', { controlFrameRate: true }, /controlFrameRate must be .*; it is true: write/],
    [
      'a misspelt rate',
      { messageRate: { persecond: 5 } },
      /messageRate\.persecond .* messageRate\.perSecond$/,
    ],
    [
      'a misspelt option of perMessageDeflate',
      { perMessageDeflate: { treshold: 5 } },
      /perMessageDeflate\.treshold \(given 5\): write perMessageDeflate\.threshold$/,
    ],
    [
      'a perMessageDeflate that is an array',
      { perMessageDeflate: [] },
      /perMessageDeflate .* an empty array/,
    ],
    ['a limit as text', { maxConnections: '5' }, /maxConnections must be .*; it is "5"$/],
    ['a parameter that is there twice', { path: '/:a/:a' }, /path has the parameter :a twice: "\/:a\/:a"$/],
    ['trustProxy that is true', { trustProxy: true }, /trustProxy must be .*; it is true: write 1/],
    ['trustProxy as text', { trustProxy: 'loopback' }, /trustProxy must be .*; it is "loopback"/],
    ['authenticate that is no function', { authenticate: {} }, /authenticate must be a function; it is/],
    ['a misspelt name', { maxPayLoad: 5 }, /no option maxPayLoad \(given 5\): write maxPayload$/],
    ['a name with a letter too many', { heartbeats: 5 }, /write heartbeat$/],
    ['a name with a letter too few', { orgins: '*' }, /write origins$/],
    ['a name with another letter', { trustPraxy: 1 }, /write trustProxy$/],
    ['a name with swapped letters', { autehnticate: () => 1 }, /write authenticate$/],
  ])('%s', (_name, options, message) => {
    expect(() => construct({ noServer: true, ...options })).toThrow(message)
  })

  test.each<[string, unknown, RegExp]>([
    ['no options', undefined, /none is: write \{ port: 8000 \}/],
    ['an application', { server: () => {} }, /server must be an http\.Server.*createServer\(app\)/],
    ['a server and a port', { server: {}, port: 1 }, /given are port: 1, server: an object/],
    [
      'noServer as text',
      { noServer: 'true' },
      /noServer must be true or false; it is "true": write noServer: true$/,
    ],
    ['a port that is none', { port: 'http' }, /port must be an integer from 0 to 65535/],
    ['a number', 8000, /takes an object of options; it is given 8000: write \{ port: 8000 \}/],
    ['a path', '/run/ws.sock', /takes an object of options; it is given "\/run\/ws\.sock"/],
    [
      'a decimal unixMode',
      { unixPath: '/run/app/ws.sock', unixMode: 660 },
      /unixMode must be a file mode from 0 to 0o777; it is 660 \(0o1224\): write 0o660$/,
    ],
    [
      'a unixMode that is no mode',
      { unixPath: '/run/app/ws.sock', unixMode: 'rw' },
      /unixMode must be a file mode from 0 to 0o777; it is "rw"/,
    ],
    ['an empty unixPath', { unixPath: '' }, /unixPath must be a path such as/],
  ])('%s', (_name, options, message) => {
    expect(() => construct(options)).toThrow(message)
  })

  test.each([[undefined], [null], [[['/chat', () => {}]]], ['/chat'], [() => {}]])(
    'a value that is not a table of routes: %s',
    (table) => {
      expect(() => routes(table as unknown as Record<string, () => void>, { noServer: true })).toThrow(
        /^routes\(table, options\) needs an object of handlers by path; it is given .*: write routes\(\{ '\/chat/,
      )
    },
  )

  test('a route without a handler', () => {
    const table = { '/chat': undefined } as unknown as Record<string, () => void>
    expect(() => routes(table, { noServer: true })).toThrow(
      /route "\/chat" must be a function; it is undefined/,
    )
  })

  test('a route with a parameter twice, and routes with a path', () => {
    expect(() => routes({ '/:a/:a': () => {} }, { noServer: true })).toThrow(
      /A route has the parameter :a twice/,
    )
    const options = { noServer: true, path: '/chat' }
    expect(() => routes({ '/': () => {} }, options)).toThrow(
      /routes\(\) takes the paths from its table: leave out path, which is "\/chat"/,
    )
  })

  test('an argument of listen() that is not a server, and its options', async () => {
    const http = createServer()
    await expect(listen(construct({ noServer: true }) as never, { port: 0 })).rejects.toThrow(
      /listen\(\) needs an http\.Server or https\.Server; it is given an object \(WebSocketServer\)/,
    )
    await expect(listen(http, { unixpath: '/run/app/ws.sock' } as object)).rejects.toThrow(/write unixPath$/)
    await expect(listen(http, { unixPath: '/run/app/ws.sock', unixMode: 660 })).rejects.toThrow(
      /unixMode .* it is 660 \(0o1224\): write 0o660$/,
    )
    expect(http.listening).toBe(false)
  })

  test('the options of a client, a hub, a shutdown and a stream', async () => {
    const url = 'ws://127.0.0.1:1'
    await expect(connect(url, { maxPayLoad: 1 } as object)).rejects.toThrow(/write maxPayload$/)
    expect(() => new WebSocket(url, { followRedirect: true } as object)).toThrow(/write followRedirects$/)
    expect(() => new WebSocket(url, { followRedirects: 'yes' } as object)).toThrow(/followRedirects: true$/)
    expect(() => new WebSocket(url, { autoPong: 'no' } as object)).toThrow(/autoPong must be true or false/)
    expect(() => new WebSocket(url, { signal: 5000 } as object)).toThrow(
      /signal must be an AbortSignal; it is 5000/,
    )
    expect(() => new WebSocket(url, { messageRate: 5 } as object)).toThrow(
      /messageRate must be .*; it is 5: write/,
    )
    expect(() => new Hub({ slowpolicy: 'skip' } as object)).toThrow(/write slowPolicy$/)
    expect(() => new Hub('skip' as never)).toThrow(/takes an object of options; it is given "skip"/)
    const server = construct({ noServer: true })
    await expect(server.shutdown({ timeOut: 5 } as object)).rejects.toThrow(/write timeout$/)
    await expect(server.shutdown(5000 as never)).rejects.toThrow(
      /shutdown\(\) takes an object of options; it is given 5000: write \{ timeout: 5000 \}/,
    )
    await expect(server.shutdown({ reason: 5 } as object)).rejects.toThrow(
      /reason must be a string; it is 5$/,
    )
    server.close()
    expect(() => createWebSocketStream(undefined as never)).toThrow(
      /needs a WebSocket; it is given undefined/,
    )
  })
})

describe('accepts (N7)', () => {
  test('one origin as a string, or a regular expression', async () => {
    for (const origins of ['https://x.example', /^https:\/\/x\./]) {
      const { port } = await runningServer({ origins })
      await openAsClient(port, { Origin: 'https://x.example' })
      expect(await refused(port, { Origin: 'https://y.example' })).toMatchObject({ status: 403 })
    }
  })

  test('a path with parameters', async () => {
    const running = await runningServer({ path: '/chat/:room' })
    await connect(`${running.url}/chat/caf%C3%A9`)
    expect((await running.next()).socket.params).toEqual({ room: 'café' })
    expect(await refused(running.port, {}, 'GET /chat/a/b HTTP/1.1')).toMatchObject({ status: 404 })
  })

  test('options of Node.js, unknown options, and null', () => {
    construct({ noServer: true, prot: undefined, requestTimeout: 5, color: 'red' }).close()
    construct({ noServer: true, heartbeat: 5000, origins: null, path: null }).close()
  })

  test('any value with the rules of ws', async () => {
    const options = { port: 0, host: '127.0.0.1', maxPayLoad: 1, path: 'chat' } as { port: 0 }
    const server = new WsServer(options)
    endWithTest(server)
    await once(server, 'listening')
    expect((server.address() as AddressInfo).port).toBeGreaterThan(0)
  })
})
