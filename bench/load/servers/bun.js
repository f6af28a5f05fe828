import { compressed, fanOut, ready } from './control.js'

/**
 * The part of Bun's interface that is used here.
 *
 * @typedef {object} BunSocket
 * @property {(data: string | Uint8Array, compress: boolean) => number} send
 * @property {(topic: string) => void} subscribe
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
 * @property {(request: Request, server: BunServer) => Response | undefined} fetch
 * @property {object} websocket
 */

const { Bun } = /** @type {{ Bun: { serve(options: BunOptions): BunServer, gc(force: boolean): void } }} */ (
  /** @type {unknown} */ (globalThis)
)

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, self) {
    return self.upgrade(request) ? undefined : new Response('not a WebSocket handshake', { status: 400 })
  },
  websocket: {
    perMessageDeflate: compressed,
    /** @param {BunSocket} socket */
    open(socket) {
      if (fanOut) socket.subscribe('all')
    },
    /**
     * @param {BunSocket} socket
     * @param {string | Uint8Array} data
     */
    message(socket, data) {
      if (fanOut) server.publish('all', data, compressed)
      else socket.send(data, compressed)
    },
  },
})

ready(server.port, () => {
  Bun.gc(true)
})
