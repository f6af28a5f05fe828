// A WebSocket that reconnects. The delay before each attempt doubles, and half of it is random, so that the clients of a
// restarted server do not all reconnect at the same time.

const FIRST_DELAY = 500
const LONGEST_DELAY = 30_000
/** After a connection has been open for this long, the delays start again from the first. */
const STABLE_AFTER = 5_000
/** Scripts cannot send or see Ping frames, so the page sends its own message and expects a reply. */
const PING_EVERY = 15_000

/** @typedef {{ type: string, [key: string]: unknown }} ChatEvent a message from the server */
/** @typedef {'connecting' | 'open' | 'waiting'} State */

export class ReconnectingSocket {
  #url
  #onEvent
  #onState
  #failures = 0
  #heard = false
  /** @type {WebSocket | undefined} */
  #socket
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #stable
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pings

  /**
   * @param {string} url
   * @param {(event: ChatEvent) => void} onEvent
   * @param {(state: State, delay: number) => void} onState the delay in ms is for 'waiting'
   */
  constructor(url, onEvent, onState) {
    this.#url = url
    this.#onEvent = onEvent
    this.#onState = onState
    this.connect()
  }

  /** Connects immediately. Cancels a pending delay. */
  connect() {
    this.close()
    this.#onState('connecting', 0)
    const socket = new WebSocket(this.#url)
    this.#socket = socket
    // Ignore the events of a socket that has been replaced or closed.
    socket.onopen = () => socket === this.#socket && this.#opened()
    socket.onmessage = ({ data }) => socket === this.#socket && this.#received(data)
    socket.onclose = () => socket === this.#socket && this.#lost()
  }

  /**
   * @param {object} action
   * @returns {boolean} whether it was sent; `false` while there is no connection
   */
  send(action) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(action))
    return true
  }

  /** Closes the connection, and does not reconnect until connect() is called. */
  close() {
    clearTimeout(this.#retry)
    clearTimeout(this.#stable)
    clearInterval(this.#pings)
    this.#socket?.close()
    this.#socket = undefined
  }

  #opened() {
    this.#heard = true
    this.#stable = setTimeout(() => (this.#failures = 0), STABLE_AFTER)
    this.#pings = setInterval(() => this.#ping(), PING_EVERY)
    this.#onState('open', 0)
  }

  /** @param {string} data */
  #received(data) {
    this.#heard = true
    this.#onEvent(JSON.parse(data))
  }

  #ping() {
    if (this.#heard) {
      this.#heard = false
      this.send({ action: 'ping' })
    } else {
      this.#lost()
    }
  }

  #lost() {
    this.close()
    const limit = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures++)
    const delay = limit * (0.5 + Math.random() / 2)
    this.#retry = setTimeout(() => this.connect(), delay)
    this.#onState('waiting', delay)
  }
}
