import type { RequestListener, Server, ServerOptions } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import { LISTEN_OPTIONS } from '../connection/option-names.js'
import type { AcceptingRules } from '../connection/preset.js'
import { http } from '../options/builtin-modules.js'
import { withoutNulls } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { checkNames } from '../options/spelling.js'
import { throwLater } from '../options/thrown.js'
import { isToWebSocket } from './http1-upgrade.js'
import { startListening } from './start-listening.js'
import { listenOnUnixSocket } from './unix-socket.js'

/** Where a server of its own listens. */
export interface ListenOptions {
  /** A TCP port; 0 takes a free one. */
  port?: number
  /** An address; all addresses of the machine by default. */
  host?: string
  /** The most connections that may wait to be accepted. */
  backlog?: number
  /** The path of a unix socket, instead of a port. A file that a killed process left there is replaced. */
  unixPath?: string
  /** The file mode of the unix socket; by default the umask of the process decides. */
  unixMode?: number
  /**
   * Replaces the socket of a running server, for a rolling restart: this server gets new connections, and the other one
   * keeps its own. With `false`, the default, this is an error (`EADDRINUSE`).
   */
  takeover?: boolean
}

/**
 * Creates an HTTP server that only upgrades to WebSocket: all other requests get a 426.
 *
 * @param rules - whether the times of Node.js apply in place of `handshakeTimeout`, and all upgrades are taken
 */
export function createOwnServer(handshakeTimeout: number, rules: AcceptingRules): Server {
  if (rules.keepsHttpTimeouts) return http().createServer(answerUpgradeRequired)
  // In Node.js, 0 means no limit, and these times are integers.
  const timeout = handshakeTimeout === Infinity ? 0 : Math.ceil(handshakeTimeout)
  return http().createServer(
    {
      // A request that arrives slowly must not hold its socket longer than a handshake may take.
      headersTimeout: timeout,
      requestTimeout: timeout,
      connectionsCheckingInterval: Math.max(50, Math.ceil(Math.min(timeout || Infinity, 30_000) / 4)),
      // Where Node.js has the option, upgrades to other protocols stay the plain requests that a server may take them
      // for (RFC 9110 section 7.8).
      shouldUpgradeCallback: isToWebSocket,
    } as ServerOptions,
    answerUpgradeRequired,
  )
}

const answerUpgradeRequired: RequestListener = (_request, response) => {
  const body = 'Upgrade Required: this server accepts only WebSocket connections\n'
  response.writeHead(426, {
    Connection: 'close, Upgrade',
    Upgrade: 'websocket',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  })
  response.end(body)
}

/**
 * Checks a file mode. A decimal number such as 660 is another mode (0o1224) than the one that is meant.
 *
 * @throws RangeError with the value, and what to write
 */
export function checkUnixMode(mode: unknown): void {
  if (mode === undefined || (typeof mode === 'string' && /^0?[0-7]{3}$/.test(mode))) return
  if (typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return
  const isDecimal = typeof mode === 'number' && /^[0-7]{3}$/.test(String(mode))
  throw new RangeError(
    `unixMode must be a file mode from 0 to 0o777; it is ${describe(mode)}` +
      (isDecimal ? ` (0o${mode.toString(8)}): write 0o${mode}` : ': write 0o660'),
  )
}

/**
 * Starts an HTTP server, with the care that a unix socket needs: a file that a killed process left is replaced, the mode
 * is set before a client can connect, and a server that closes never removes the socket of its successor. While another
 * server listens on the path it rejects with `EADDRINUSE`, unless `takeover` is `true`.
 *
 * ```js
 * await listen(http, { unixPath: '/run/app/http.sock', unixMode: 0o660 })
 * ```
 *
 * @param server - from `node:http` or `node:https`; WebSocketServers may share it
 * @returns once it listens, or was closed before. Rejects with the error of Node.js if it cannot listen; `'error'` is then
 *   emitted only where Node.js does
 * @throws TypeError if `server` is none, an option is misspelt, or not exactly one of `port` and `unixPath` is given
 * @throws RangeError if `unixMode` is no file mode, or `unixPath` is longer than the system allows
 */
export async function listen(server: Server | SecureServer, options: ListenOptions): Promise<void> {
  if (typeof (server as Partial<Server> | undefined)?.listen !== 'function') {
    throw new TypeError(
      `listen() needs an http.Server or https.Server; it is given ${describe(server)}: ` +
        'write listen(createServer(app), { … })',
    )
  }
  const given = withoutNulls(options ?? {})
  checkNames(given, LISTEN_OPTIONS)
  checkUnixMode(given.unixMode)
  const { unixPath, port, host, unixMode, takeover, backlog } = given
  if ((unixPath === undefined) === (port === undefined)) {
    throw new TypeError(
      `listen() needs exactly one of the options port and unixPath; they are ${describe(port)} and ${describe(unixPath)}. ` +
        "Write listen(http, { unixPath: '/run/app/http.sock', unixMode: 0o660 })",
    )
  }
  if (unixPath !== undefined && process.platform !== 'win32') {
    const how = {
      unixPath,
      ...(unixMode === undefined ? undefined : { unixMode }),
      ...(takeover === undefined ? undefined : { takeover }),
      ...(backlog === undefined ? undefined : { backlog }),
    }
    await listenOnUnixSocket(server, how)
    return
  }
  await startListening(server, unixPath === undefined ? { port, host, backlog } : { path: unixPath, backlog })
}

/**
 * Starts the HTTP server of a WebSocketServer, which reports failures as `'error'`. Without a listener they are uncaught, as
 * those of `server.listen()` are.
 *
 * @param hasListener - whether the WebSocketServer has a listener, or needs none any more
 */
export function startOwnServer(server: Server, options: ListenOptions, hasListener: () => boolean): void {
  if (options.unixPath === undefined) {
    const { port, host, backlog } = options
    server.listen({ port, host, backlog })
    return
  }
  let emitted: unknown
  let isHandled = false
  const onError = (error: Error): void => {
    emitted = error
    isHandled = hasListener()
  }
  // First: a listener that was added by `once` is gone once it has been called.
  server.prependListener('error', onError)
  listen(server, { ...options })
    .catch((error: unknown) => {
      if (error !== emitted) server.emit('error', error)
      // With the listener above, the event did not throw.
      if (!isHandled) throwLater(error)
    })
    .finally(() => server.off('error', onError))
}
