import {
  authenticated,
  churn,
  compressed,
  fanOut,
  findUser,
  ready,
  storm,
  STREAM,
  stream,
  tls,
} from './control.js'

/**
 * The part of Bun's interface that is used here.
 *
 * @typedef {object} BunSocket
 * @property {(data: string | Uint8Array, compress: boolean) => number} send
 * @property {(topic: string) => void} subscribe
 * @property {(topic: string) => void} unsubscribe
 * @property {(topic: string) => boolean} isSubscribed
 */
/**
 * @typedef {object} BunServer
 * @property {number} port
 * @property {(request: Request) => boolean} upgrade
 * @property {(topic: string, data: string | Uint8Array, compress: boolean) => number} publish
 */
/**
 * @typedef {object} BunOptions
 * @property {string} hostname
 * @property {number} port
 * @property {{ key: Buffer, cert: Buffer }} [tls]
 * @property {(request: Request, server: BunServer) => Promise<Response | undefined>} fetch
 * @property {object} websocket
 */

const { Bun } = /** @type {{ Bun: { serve(options: BunOptions): BunServer, gc(force: boolean): void } }} */ (
  /** @type {unknown} */ (globalThis)
)

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  ...(tls === undefined ? {} : { tls }),
  async fetch(request, self) {
    if (authenticated) await findUser()
    return self.upgrade(request) ? undefined : new Response('not a WebSocket handshake', { status: 400 })
  },
  websocket: {
    perMessageDeflate: compressed,
    /** @param {BunSocket} socket */
    open(socket) {
      if (fanOut || churn) socket.subscribe('all')
    },
    /**
     * @param {BunSocket} socket
     * @param {string | Uint8Array} data
     */
    message(socket, data) {
      if (churn) {
        socket.unsubscribe('all')
        socket.subscribe('all')
      }
      if (storm && !socket.isSubscribed('all')) {
        socket.subscribe('all')
        socket.send(data, compressed)
      } else if (fanOut || churn || storm) server.publish('all', data, compressed)
      else if (stream) for (const each of STREAM) socket.send(each, false)
      else socket.send(data, compressed)
    },
  },
})

ready(server.port, () => {
  Bun.gc(true)
})
