import { connect } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { ACCEPT, KEY } from './handshake.js'

/** All sockets read into this buffer, so a callback must not keep its bytes. */
const readBuffer = Buffer.allocUnsafe(256 * 1024)

const OFFER = 'permessage-deflate; client_no_context_takeover; server_no_context_takeover'

/** @typedef {(error: Error | null, connection: Connection) => void} Opened */

/**
 * @typedef {object} How
 * @property {boolean} compressed whether to offer permessage-deflate, whose refusal is an error
 * @property {boolean} secure whether to use TLS
 * @property {string} path
 * @property {string | undefined} protocol the subprotocol to offer
 */

/** The client's end of a WebSocket connection: an opening handshake, then bytes. */
export class Connection {
  /**
   * @param {number} port
   * @param {How} how
   * @param {Opened} opened
   */
  constructor(port, { secure, ...how }, opened) {
    /** @type {(size: number, bytes: Uint8Array) => void} called with the bytes that arrive */
    this.receive = (size, bytes) => {
      this.#readHead(Buffer.from(bytes.subarray(0, size)), how.compressed, opened)
    }
    /** @type {(error: Error) => void} called if the server ends the connection */
    this.lost = (error) => {
      opened(error, this)
    }
    const onread = {
      buffer: readBuffer,
      callback: (/** @type {number} */ size, /** @type {Uint8Array} */ bytes) => {
        this.receive(size, bytes)
        return true
      },
    }
    // The type of the options lacks `onread`.
    const secureOptions = { port, host: '127.0.0.1', rejectUnauthorized: false, onread }
    this.socket = secure
      ? // The certificate was made for this run and is not checked.
        connectSecurely(/** @type {import('node:tls').ConnectionOptions} */ (secureOptions))
      : connect({ port, host: '127.0.0.1', noDelay: true, onread })
    if (secure) this.socket.setNoDelay()
    this.socket.on('error', (error) => {
      this.lost(error)
    })
    this.socket.on('close', () => {
      this.lost(new Error('the server closed the connection'))
    })
    this.socket.write(requestFor(port, how))
  }

  /** Ends the connection. */
  end() {
    this.lost = () => {}
    this.socket.destroy()
  }

  #head = Buffer.alloc(0)

  /**
   * @param {Buffer} bytes
   * @param {boolean} compressed
   * @param {Opened} opened
   */
  #readHead(bytes, compressed, opened) {
    this.#head = Buffer.concat([this.#head, bytes])
    const end = this.#head.indexOf('\r\n\r\n') + 4
    if (end < 4) return
    const head = this.#head.toString('latin1', 0, end)
    const accepted = head.startsWith('HTTP/1.1 101 ') && head.includes(ACCEPT)
    const agreed = !compressed || /^sec-websocket-extensions: *permessage-deflate/im.test(head)
    if (!accepted || !agreed) {
      this.lost(new Error(`refused: ${head}`))
      return
    }
    this.lost = raise
    const rest = this.#head.subarray(end)
    this.#head = Buffer.alloc(0)
    opened(null, this)
    // Some servers speak first.
    if (rest.length > 0) this.receive(rest.length, rest)
  }
}

/**
 * Ends the process if a connection is lost during a measurement, which is then invalid.
 *
 * @param {Error} error
 */
function raise(error) {
  throw error
}

/**
 * @param {number} port
 * @param {Omit<How, 'secure'>} how
 */
function requestFor(port, { compressed, path, protocol }) {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${KEY}`,
    'Sec-WebSocket-Version: 13',
    ...(compressed ? [`Sec-WebSocket-Extensions: ${OFFER}`] : []),
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/**
 * Opens connections, a number of them at a time.
 *
 * @param {object} options
 * @param {number} options.port
 * @param {number} options.count
 * @param {boolean} [options.compressed]
 * @param {boolean} [options.secure]
 * @param {string} [options.path]
 * @param {string} [options.protocol]
 * @param {number} [options.atOnce] 50 by default
 * @param {(connection: Connection) => void} [options.welcome] called with each connection before it receives anything
 * @param {(open: number) => void} [options.progress] called with the number of connections open so far
 * @returns {Promise<Connection[]>}
 */
export function openConnections(options) {
  const { port, count, compressed = false, secure = false, path = '/', protocol, atOnce = 50 } = options
  const { welcome, progress } = options
  /** @type {Connection[]} */
  const open = []
  let begun = 0
  return new Promise((resolve, reject) => {
    const begin = () => {
      begun++
      new Connection(port, { compressed, secure, path, protocol }, (error, connection) => {
        if (error) {
          reject(error)
          return
        }
        welcome?.(connection)
        open.push(connection)
        progress?.(open.length)
        if (begun < count) begin()
        else if (open.length === count) resolve(open)
      })
    }
    while (begun < Math.min(atOnce, count)) begin()
  })
}
