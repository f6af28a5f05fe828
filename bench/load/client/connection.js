import { connect } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { ACCEPT, KEY } from './handshake.js'

/** All sockets read into this buffer, so a callback must not keep its bytes. */
const readBuffer = Buffer.allocUnsafe(256 * 1024)

const OFFER = 'permessage-deflate; client_no_context_takeover; server_no_context_takeover'

/** @typedef {(error: Error | null, connection: Connection) => void} Opened */

/** The client's end of a WebSocket connection: an opening handshake, then bytes. */
export class Connection {
  /**
   * @param {number} port
   * @param {{ compressed: boolean, secure: boolean }} how whether to offer permessage-deflate, whose refusal is an
   *   error, and whether to use TLS
   * @param {Opened} opened
   */
  constructor(port, { compressed, secure }, opened) {
    /** @type {(size: number, bytes: Uint8Array) => void} called with the bytes that arrive */
    this.receive = (size, bytes) => {
      this.#readHead(Buffer.from(bytes.subarray(0, size)).toString('latin1'), compressed, opened)
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
    this.socket.write(requestFor(port, compressed))
  }

  /** Ends the connection. */
  end() {
    this.lost = () => {}
    this.socket.destroy()
  }

  #head = ''

  /**
   * @param {string} text
   * @param {boolean} compressed
   * @param {Opened} opened
   */
  #readHead(text, compressed, opened) {
    this.#head += text
    if (!this.#head.endsWith('\r\n\r\n')) return
    const accepted = this.#head.startsWith('HTTP/1.1 101 ') && this.#head.includes(ACCEPT)
    const agreed = !compressed || /^sec-websocket-extensions: *permessage-deflate/im.test(this.#head)
    if (!accepted || !agreed) {
      this.lost(new Error(`refused: ${this.#head}`))
      return
    }
    this.lost = raise
    this.#head = ''
    opened(null, this)
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
 * @param {boolean} compressed
 */
function requestFor(port, compressed) {
  const lines = [
    'GET / HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${KEY}`,
    'Sec-WebSocket-Version: 13',
    ...(compressed ? [`Sec-WebSocket-Extensions: ${OFFER}`] : []),
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/**
 * Opens connections, 50 at a time.
 *
 * @param {object} options
 * @param {number} options.port
 * @param {number} options.count
 * @param {boolean} [options.compressed]
 * @param {boolean} [options.secure]
 * @param {(open: number) => void} [options.progress] called with the number of connections open so far
 * @returns {Promise<Connection[]>}
 */
export function openConnections({ port, count, compressed = false, secure = false, progress }) {
  /** @type {Connection[]} */
  const open = []
  let begun = 0
  return new Promise((resolve, reject) => {
    const begin = () => {
      begun++
      new Connection(port, { compressed, secure }, (error, connection) => {
        if (error) {
          reject(error)
          return
        }
        open.push(connection)
        progress?.(open.length)
        if (begun < count) begin()
        else if (open.length === count) resolve(open)
      })
    }
    while (begun < Math.min(50, count)) begin()
  })
}
