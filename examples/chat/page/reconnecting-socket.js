// A WebSocket that comes back. The time before each attempt doubles, and half of it is random: when a
// server restarts, its clients must not all return in the same instant.

const FIRST_DELAY = 500
const LONGEST_DELAY = 30_000
/** A connection that lasted this long has succeeded: the delays start over. */
const STABLE_AFTER = 5_000
/** A script cannot see a protocol ping, so the page asks for a sign of life itself. */
const PING_EVERY = 15_000

/** @typedef {{ type: string, [key: string]: unknown }} ChatEvent what the server says */
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
   * @param {(state: State, delay: number) => void} onState the delay, in ms, goes with 'waiting'
   */
  constructor(url, onEvent, onState) {
    this.#url = url
    this.#onEvent = onEvent
    this.#onState = onState
    this.connect()
  }

  /** Connects at once, whatever delay was running. */
  connect() {
    this.close()
    this.#onState('connecting', 0)
    const socket = new WebSocket(this.#url)
    this.#socket = socket
    // Nothing that a socket still does after close() concerns us: it is no longer the present one.
    socket.onopen = () => socket === this.#socket && this.#opened()
    socket.onmessage = ({ data }) => socket === this.#socket && this.#received(data)
    socket.onclose = () => socket === this.#socket && this.#lost()
  }

  /**
   * @param {object} action
   * @returns {boolean} whether it was sent: not while the connection is away
   */
  send(action) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(action))
    return true
  }

  /** Leaves, and does not come back before connect(). */
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
