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
  /** An address; all of the machine's by default. */
  host?: string
  /** Connections that may wait to be accepted. */
  backlog?: number
  /** The path of a unix socket, in place of a port. A stale one is removed. */
  unixPath?: string
  /** The file mode of the unix socket; by default what the process's umask leaves. */
  unixMode?: number
}

/** A plain HTTP server for a WebSocket server that has its port to itself: all other requests get 426. */
export function createOwnServer(handshakeTimeout: number): Server {
  return createServer(
    {
      // A request that dribbles in holds its socket no longer than a handshake may take.
      headersTimeout: handshakeTimeout,
      requestTimeout: handshakeTimeout,
      connectionsCheckingInterval: Math.max(50, Math.min(handshakeTimeout, 30_000) / 4),
      // Where Node has it, other upgrades become the plain requests that they may be treated as (RFC 9110 section 7.8).
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

/** Makes `server` listen; what goes wrong is its own `'error'`. */
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

/** A process that was killed leaves its socket behind, on which nobody listens; a file of any other kind is not ours. */
function removeStale(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path)
  } catch {
    // Then it is for `listen` to fail, and to say why.
  }
}
