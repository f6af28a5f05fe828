import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http'
import { connect } from 'node:net'
import { listHas } from '../protocol/header-grammar.js'

/** Where a server of its own listens. */
export interface ListenOptions {
  /** A TCP port; 0 takes a free one. */
  port?: number
  /** An address; all addresses of the machine by default. */
  host?: string
  /** The most connections that may wait to be accepted. */
  backlog?: number
  /** The path of a unix socket, instead of a port. A stale one is removed. */
  unixPath?: string
  /** The file mode of the unix socket; by default the umask of the process decides. */
  unixMode?: number
}

/** Creates an HTTP server that only upgrades to WebSocket: all other requests get a 426. */
export function createOwnServer(handshakeTimeout: number): Server {
  // Node.js takes 0 for no limit.
  const timeout = handshakeTimeout === Infinity ? 0 : handshakeTimeout
  return createServer(
    {
      // A request that arrives slowly holds its socket no longer than a handshake may take.
      headersTimeout: timeout,
      requestTimeout: timeout,
      connectionsCheckingInterval: Math.max(50, Math.min(timeout || Infinity, 30_000) / 4),
      // Where Node.js has the option, upgrades to other protocols stay the plain requests that a server may take them
      // for (RFC 9110 section 7.8).
      shouldUpgradeCallback: (request: IncomingMessage) => listHas(request.headers.upgrade, 'websocket'),
    } as ServerOptions,
    answerUpgradeRequired,
  )
}

const answerUpgradeRequired: RequestListener = (_request, response) => {
  const body = 'Upgrade Required: this server speaks websocket only\n'
  response.writeHead(426, {
    Connection: 'close, Upgrade',
    Upgrade: 'websocket',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  })
  response.end(body)
}

/** Starts listening; the server emits `'error'` if that fails. */
export function listen(server: Server, { port, host, backlog, unixPath, unixMode }: ListenOptions): void {
  if (unixPath === undefined) {
    server.listen({ port, host, backlog })
    return
  }
  if (unixMode !== undefined) {
    server.once('listening', () => {
      chmodSync(unixPath, unixMode)
    })
  }
  const probe = connect(unixPath)
  const stop = (): void => {
    probe.destroy()
  }
  server.once('close', stop)
  probe.once('connect', stop)
  probe.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') removeStale(unixPath)
  })
  probe.once('close', () => {
    if (server.listenerCount('close', stop) === 0) return
    server.off('close', stop)
    server.listen({ path: unixPath, backlog })
  })
}

/** Removes the socket of a process that was killed, on which nobody listens any more; any other file stays. */
function removeStale(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path)
  } catch {
    // `listen` fails then, with the reason.
  }
}
