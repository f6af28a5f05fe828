import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  anonymous,
  connect,
  type VerifyCallback,
  type VerifyClient,
  type WebSocket,
  WebSocketServer,
  type WebSocketServerOptions,
} from 'hubwire'
import { WebSocketServer as WsServer } from '#src/ws/websocket-server.js'
import { describe, expect, test } from 'vitest'
import { settled } from '../../support/event-loop.js'
import { startHttp } from '../../support/http-server.js'
import { openAsClient } from '../../support/raw-handshake.js'
import { refused } from '../../support/refused.js'
import { endWithTest, runningServer } from '../../support/running-server.js'
import { uncaught } from '../../support/uncaught.js'

/** A server in one of its three places, and the sockets that it has accepted. */
interface Placed {
  readonly server: WebSocketServer<unknown>
  readonly port: number
  readonly accepted: WebSocket[]
}

/** Options in any place, with functions of any type: JavaScript has no others. */
type AnyOptions = Readonly<Record<string, unknown>>

type Start = (options: AnyOptions) => Promise<Placed>

async function overHttp(options: AnyOptions, isShared: boolean): Promise<Placed> {
  const { http, port } = await startHttp()
  const where = isShared ? { server: http } : { noServer: true }
  const server = new WebSocketServer<unknown>({ ...options, ...where })
  endWithTest(server)
  const accepted: WebSocket[] = []
  server.on('connection', (socket) => accepted.push(socket))
  if (!isShared) {
    http.on('upgrade', (request, socket, head) => {
      server.handleUpgrade(request, socket, head, (webSocket) => {
        server.emit('connection', webSocket, request)
      })
    })
  }
  return { server, port, accepted }
}

/** Where a server may be: on a port of its own, on an `http.Server` that it shares, or fed by the application. */
const threePlaces: readonly [name: string, start: Start][] = [
  [
    'port',
    async (options) => {
      const { server, port } = await runningServer<unknown>(options as WebSocketServerOptions<unknown>)
      const accepted: WebSocket[] = []
      server.on('connection', (socket) => accepted.push(socket))
      return { server, port, accepted }
    },
  ],
  ['server', (options) => overHttp(options, true)],
  ['noServer', (options) => overHttp(options, false)],
]

/** A function that returns this answer, and one that resolves to it. */
const ways: readonly [name: string, answering: (answer: unknown) => () => unknown][] = [
  ['returned', (answer) => () => answer],
  ['resolved', (answer) => () => new Promise((resolve) => setImmediate(resolve, answer))],
]

/** Collects the warnings of unclear answers of one option while `act` runs. Warnings come in a later tick. */
async function warningsOf(option: string, act: () => Promise<unknown>): Promise<string[]> {
  const messages: string[] = []
  const collect = (warning: Error & { code?: string }): void => {
    if (warning.code === 'HUBWIRE_UNCLEAR_ANSWER' && warning.message.startsWith(option)) {
      messages.push(warning.message)
    }
  }
  process.on('warning', collect)
  await act()
  await settled()
  process.off('warning', collect)
  return messages
}

/** Expects two refusals with this status, both counted, no connection and no uncaught error. */
async function expectRefused({ server, port, accepted }: Placed, status: number, reason: string) {
  const lost = uncaught()
  const errors: Error[] = []
  server.on('error', (error) => errors.push(error))
  for (let time = 0; time < 2; time++) {
    expect(await refused(port, { Origin: 'https://a.example' })).toMatchObject({ status })
  }
  expect(accepted).toEqual([])
  expect(server.stats()).toMatchObject({ accepted: 0, refused: { [reason]: 2 } })
  expect(lost).toEqual([])
  return errors
}

async function expectAccepted({ port, accepted }: Placed, user: unknown): Promise<void> {
  await openAsClient(port)
  await settled()
  expect(accepted.map((socket) => socket.user)).toEqual([user])
}

describe.each(threePlaces)('on %s', (_place, start) => {
  describe.each(ways)('authenticate, %s', (_way, answering) => {
    test.each([[false], [null], [undefined]])(
      'is refused with 401 and one warning for %s (N1)',
      async (answer) => {
        const placed = await start({ origins: '*', authenticate: answering(answer) })
        const messages = await warningsOf('authenticate', () => expectRefused(placed, 401, 'application'))
        expect(messages).toHaveLength(1)
        expect(messages[0]).toContain(`authenticate answered ${String(answer)}`)
        expect(messages[0]).toContain("import { anonymous } from 'hubwire'")
      },
    )

    test.each([[0], [''], [Number.NaN], [true], [{ name: 'ada' }]])(
      'accepts %j as the user (N1)',
      async (user) => {
        await expectAccepted(await start({ authenticate: answering(user) }), user)
      },
    )

    test('opens without a user for anonymous (N1)', async () => {
      await expectAccepted(await start({ authenticate: answering(anonymous) }), undefined)
    })
  })

  const notTrue = [undefined, null, 0, 1, '', 'yes', {}, []] as const

  describe.each(ways)('verifyClient, %s', (_way, answering) => {
    test.each(notTrue.map((answer) => [answer]))(
      'is refused with 401 and one warning for %j (N1)',
      async (answer) => {
        // Only the answer of a function with fewer than two parameters counts.
        const placed = await start({ origins: '*', verifyClient: answering(answer) })
        const messages = await warningsOf('verifyClient', () => expectRefused(placed, 401, 'application'))
        expect(messages).toHaveLength(1)
        expect(messages[0]).toContain('Answer true to accept a client')
      },
    )

    test('refuses with 401 and no warning for false, and accepts for true (N1)', async () => {
      const placed = await start({ origins: '*', verifyClient: answering(false) })
      const messages = await warningsOf('verifyClient', () => expectRefused(placed, 401, 'application'))
      expect(messages).toEqual([])
      await expectAccepted(await start({ verifyClient: answering(true) }), undefined)
    })
  })

  describe.each<[string, (answer: unknown) => VerifyClient]>([
    ['at once', (answer) => (_info, callback) => callback(answer as boolean)],
    [
      'later',
      (answer) => (_info, callback) => {
        setImmediate(callback as (answer: unknown) => void, answer)
      },
    ],
    // Its return value is then ignored.
    [
      'by an async function',
      (answer) => async (_info: unknown, callback: VerifyCallback) => {
        await settled()
        callback(answer as boolean)
        return true
      },
    ],
  ])('verifyClient that calls back %s', (_when, calling) => {
    test.each([...notTrue, false, Promise.resolve(true)].map((answer) => [answer]))(
      'refuses with 401 for %j (N1)',
      async (answer) => {
        await expectRefused(await start({ origins: '*', verifyClient: calling(answer) }), 401, 'application')
      },
    )

    test('accepts for true (N1)', async () => {
      await expectAccepted(await start({ verifyClient: calling(true) }), undefined)
    })
  })

  describe.each(ways)('an origins function, %s', (_way, answering) => {
    test.each(notTrue.map((answer) => [answer]))(
      'is refused with 403 and one warning for %j (N1)',
      async (answer) => {
        const placed = await start({ origins: answering(answer) })
        const messages = await warningsOf('origins', () => expectRefused(placed, 403, 'origin'))
        expect(messages).toHaveLength(1)
        expect(messages[0]).toContain('Return true to allow an origin')
      },
    )

    test('refuses with 403 and no warning for false (N1)', async () => {
      const placed = await start({ origins: answering(false) })
      expect(await warningsOf('origins', () => expectRefused(placed, 403, 'origin'))).toEqual([])
    })
  })

  test.each<[string, unknown, string]>([
    ['a Promise of true', () => Promise.resolve(true), 'path returned a Promise'],
    ['a Promise that rejects', () => Promise.reject(new Error('no')), 'path returned a Promise'],
    ['the number 1', () => 1, 'it returned 1'],
    ['a string', () => 'yes', 'it returned "yes"'],
    ['an array', () => ['id'], 'it returned an array'],
  ])('answers with 500 if a path function returns %s (N1)', async (_name, path, message) => {
    const errors = await expectRefused(await start({ origins: '*', path }), 500, 'error')
    expect(errors.map((error) => error.message)).toEqual([
      expect.stringContaining(message),
      expect.stringContaining(message),
    ])
  })

  const offering = { 'Sec-WebSocket-Protocol': 'chat, superchat' }

  test.each<[string, unknown, string]>([
    ['a Promise', () => Promise.resolve('chat'), 'handleProtocols returned a Promise'],
    ['a Promise that rejects', () => Promise.reject(new Error('no')), 'handleProtocols returned a Promise'],
    ['a name that was not offered', () => 'mqtt', 'it returned "mqtt"'],
    ['true', () => true, 'it returned true'],
    ['an array', () => ['chat'], 'it returned ["chat"]'],
    ['an empty string', () => '', 'it returned ""'],
  ])('answers with 500 if handleProtocols returns %s (N1)', async (_name, handleProtocols, message) => {
    const lost = uncaught()
    const { server, port, accepted } = await start({ handleProtocols })
    const failed = once(server, 'error') as Promise<[Error]>
    expect(await refused(port, offering)).toMatchObject({ status: 500 })
    expect((await failed)[0].message).toContain(message)
    expect([accepted, lost]).toEqual([[], []])
  })

  test.each([[false], [undefined], [null]])(
    'selects no subprotocol if handleProtocols returns %s (N1)',
    async (answer) => {
      const { port } = await start({ handleProtocols: () => answer })
      const { response } = await openAsClient(port, offering)
      expect(response.fields.has('sec-websocket-protocol')).toBe(false)
    },
  )
})

test('warns once for each server (N1)', async () => {
  const authenticate = (() => undefined) as never
  const messages = await warningsOf('authenticate', async () => {
    for (const { port } of [await runningServer({ authenticate }), await runningServer({ authenticate })]) {
      for (let time = 0; time < 3; time++) await refused(port)
    }
  })
  expect(messages).toHaveLength(2)
})

test('accepts any truthy result of verifyClient with the rules of ws', async () => {
  const answers: unknown[] = [1, 'yes', {}, 0, '', undefined]
  const options: AnyOptions = { port: 0, host: '127.0.0.1', verifyClient: () => answers.shift() }
  const server = new WsServer(options)
  endWithTest(server)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  for (let time = 0; time < 3; time++) (await connect(`ws://127.0.0.1:${port}`)).terminate()
  const messages = await warningsOf('verifyClient', async () => {
    for (let time = 0; time < 3; time++) expect(await refused(port)).toMatchObject({ status: 401 })
  })
  expect(messages).toEqual([])
})
