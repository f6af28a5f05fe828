import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { connect, ConnectError, WebSocket } from 'hubwire'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { failedAttempt } from '../support/failed-attempt.js'
import { freePort } from '../support/free-port.js'
import { openPair } from '../support/open-pair.js'
import { runningServer } from '../support/running-server.js'
import { scriptedServer } from '../support/scripted-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { thrownBy, webError } from '../support/web-error.js'

const GIVEN_UP = {
  name: 'ConnectError',
  code: 'WS_ERR_ABORTED',
  message: 'WebSocket was closed before the connection was established',
}

describe('fails with the cause for', () => {
  test('a name that does not exist', async () => {
    const cause = await failedAttempt(new WebSocket('ws://nobody.invalid/'))
    expect(cause.code).toMatch(/^(ENOTFOUND|EAI_AGAIN)$/)
  })

  test('a port without a listener', async () => {
    const url = `ws://127.0.0.1:${await freePort()}/`
    expect((await failedAttempt(new WebSocket(url))).code).toBe('ECONNREFUSED')
    await expect(connect(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('a unix socket that does not exist', async () => {
    const client = new WebSocket(`ws+unix:${join(temporaryFolder(), 'none')}:/`)
    expect((await failedAttempt(client)).code).toBe('ENOENT')
  })

  test('a server that resets the connection', async () => {
    const { url } = await scriptedServer((_request, socket) => socket.resetAndDestroy())
    expect((await failedAttempt(new WebSocket(url))).code).toBe('ECONNRESET')
  })

  test('a server that does not answer in time (F38)', async () => {
    const { url } = await scriptedServer(() => {})
    expect(await failedAttempt(new WebSocket(url, { handshakeTimeout: 20 }))).toMatchObject({
      name: 'ConnectError',
      code: 'WS_ERR_HANDSHAKE_TIMEOUT',
      message: 'Opening handshake has timed out: no answer within handshakeTimeout (20 ms)',
    })
  })

  test('a server that sends its answer byte by byte past handshakeTimeout', async () => {
    const { url } = await scriptedServer((_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\n')
      const timer = setInterval(() => socket.write('X: y\r\n'), 5)
      socket.once('close', () => {
        clearInterval(timer)
      })
    })
    expect((await failedAttempt(new WebSocket(url, { handshakeTimeout: 40 }))).message).toMatch('timed out')
  })
})

describe('an aborted attempt', () => {
  test.each<[string, (client: WebSocket) => void]>([
    [
      'close()',
      (client) => {
        client.close()
      },
    ],
    [
      'close(code, reason)',
      (client) => {
        client.close(4000, 'never mind')
      },
    ],
    [
      'terminate()',
      (client) => {
        client.terminate()
      },
    ],
    [
      'both, and again',
      (client) => {
        client.close()
        client.terminate()
        client.close()
      },
    ],
  ])('fails after %s, before and after the request is sent (F38)', async (_name, giveUp) => {
    const atOnce = new WebSocket((await silentServer()).url)
    giveUp(atOnce)
    expect(atOnce.readyState).toBe(WebSocket.CLOSING)
    expect(await failedAttempt(atOnce)).toMatchObject(GIVEN_UP)
    const { url, requested } = await silentServer()
    const later = new WebSocket(url)
    await requested
    giveUp(later)
    expect(await failedAttempt(later)).toMatchObject(GIVEN_UP)
    giveUp(later)
    expect(later.readyState).toBe(WebSocket.CLOSED)
  })

  test('continues if close() throws for its code', async () => {
    const running = await runningServer()
    const client = new WebSocket(running.url)
    expect(thrownBy(() => client.close(1006))).toEqual(webError('InvalidAccessError'))
    await once(client, 'open')
    expect(client.readyState).toBe(WebSocket.OPEN)
  })

  test('ends the connection to the server', async () => {
    const { url, requested, ended } = await silentServer()
    const client = new WebSocket(url)
    await requested
    client.terminate()
    await Promise.all([ended, failedAttempt(client)])
  })
})

/** A server that reads a request and does not answer. */
async function silentServer(): Promise<{ url: string; requested: Promise<void>; ended: Promise<void> }> {
  let wasAsked: () => void = () => {}
  let hasEnded: () => void = () => {}
  const requested = new Promise<void>((resolve) => {
    wasAsked = resolve
  })
  const ended = new Promise<void>((resolve) => {
    hasEnded = resolve
  })
  const { url } = await scriptedServer((_request, socket) => {
    socket.once('close', hasEnded).resume()
    wasAsked()
  })
  return { url, requested, ended }
}

describe('handshakeTimeout (F11)', () => {
  test.each([0, Infinity])('sets no timer for %d', async (handshakeTimeout) => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    onTestFinished(() => {
      timers.mockRestore()
    })
    const { url, requested } = await silentServer()
    timers.mockClear()
    const client = new WebSocket(url, { handshakeTimeout, heartbeat: false })
    const delays = timers.mock.calls.map(([, delay]) => delay)
    expect(delays.filter((delay) => delay === handshakeTimeout || delay === 10_000)).toEqual([])
    await requested
    expect(client.readyState).toBe(WebSocket.CONNECTING)
    client.terminate()
  })

  test.each([-1, Number.NaN, 2 ** 31, 'abc', '100'])('throws for %j', (handshakeTimeout) => {
    expect(() => new WebSocket('ws://127.0.0.1:1', { handshakeTimeout } as never)).toThrow(
      new RangeError(
        `handshakeTimeout must be milliseconds from 0 to 2147483647, or Infinity for no limit; it is ${shown(handshakeTimeout)}`,
      ),
    )
  })
})

/** Text is quoted, so that it is not taken for a number. */
const shown = (value: number | string): string => (typeof value === 'string' ? `"${value}"` : String(value))

test.each([-1, 1.5, Number.NaN, 'many'])('throws for maxRedirects %j (F11)', (maxRedirects) => {
  expect(() => new WebSocket('ws://127.0.0.1:1', { maxRedirects } as never)).toThrow(
    new RangeError(
      `maxRedirects must be an integer from 0 to 9007199254740991; it is ${shown(maxRedirects)}`,
    ),
  )
})

describe('a signal (F38)', () => {
  test('aborts the attempt if it is already aborted', async () => {
    const reason = new Error('not today')
    const expected = { name: 'AbortError', code: 'ABORT_ERR', cause: reason }
    const { url } = await runningServer()
    const client = new WebSocket(url, { signal: AbortSignal.abort(reason) })
    expect(await failedAttempt(client)).toMatchObject(expected)
    await expect(connect(url, { signal: AbortSignal.abort(reason) })).rejects.toMatchObject(expected)
  })

  test('aborts an attempt under way', async () => {
    const { url, requested, ended } = await silentServer()
    const controller = new AbortController()
    const client = new WebSocket(url, { signal: controller.signal })
    await requested
    controller.abort()
    const cause = await failedAttempt(client)
    expect(cause).toBeInstanceOf(ConnectError)
    expect(cause).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
    expect(cause.cause).toBe(controller.signal.reason)
    await ended
  })

  test('keeps a reason that is not an error as the cause', async () => {
    const { url } = await runningServer()
    const client = new WebSocket(url, { signal: AbortSignal.abort('words') })
    expect(await failedAttempt(client)).toMatchObject({ code: 'ABORT_ERR', cause: 'words' })
  })

  test('terminates an open connection', async () => {
    const controller = new AbortController()
    const { client, socket } = await openPair({ client: { signal: controller.signal } })
    const closes = Promise.all([closeOf(client), closeOf(socket)])
    const reason = new Error('enough')
    controller.abort(reason)
    const [ours, theirs] = await closes
    expect(ours).toMatchObject({ code: 1006, wasClean: false, initiator: 'local', cause: reason })
    expect(theirs).toMatchObject({ code: 1006, wasClean: false })
  })

  test('does nothing after the connection has closed', async () => {
    const controller = new AbortController()
    const { client } = await openPair({ client: { signal: controller.signal } })
    const closed = closeOf(client)
    client.close(1000)
    expect(await closed).toMatchObject({ code: 1000 })
    controller.abort()
    expect(client.readyState).toBe(WebSocket.CLOSED)
  })
})

describe('the connection', () => {
  test('can be created by createConnection', async () => {
    const running = await runningServer()
    const made: unknown[] = []
    const client = await connect('ws://somewhere.invalid/x', {
      createConnection: () => {
        const socket = connectSocket(running.port, '127.0.0.1')
        made.push(socket)
        return socket
      },
    })
    const { request } = await running.next()
    expect([made.length, request.headers.host, request.url]).toEqual([1, 'somewhere.invalid', '/x'])
    client.terminate()
  })

  test('can be resolved by lookup', async () => {
    const running = await runningServer()
    const client = await connect(`ws://somewhere.invalid:${running.port}/`, {
      lookup: (_name, options, callback) => {
        if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }])
        else callback(null, '127.0.0.1', 4)
      },
    })
    expect(client.readyState).toBe(WebSocket.OPEN)
    client.terminate()
  })
})
