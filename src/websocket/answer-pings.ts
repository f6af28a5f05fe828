import { type Payload, toPayload } from '../sending/payload.js'
import { answerFirst, type WebSocket } from './websocket.js'

/** The options of {@link answerPings}. */
export interface AnswerPingsOptions {
  /**
   * Whether a message is a ping; text is a string, binary a Buffer. By default, text that begins with `{"action":"ping"`,
   * with any white space.
   */
  isPing?: ((data: string | Buffer, isBinary: boolean) => boolean) | null
  /** The answer; `'{"type":"pong"}'` by default. */
  answer?: Payload | null
}

const PING = /^\s*\{\s*"action"\s*:\s*"ping"\s*[,}]/

/**
 * Answers the pings of a page, which are messages because scripts can neither send nor see Ping frames: those of
 * `ReconnectingWebSocket` in `hubwire/browser` with its option `ping`. They are not delivered to listeners, iterators
 * and streams. They count as messages for `messageRate` and in statistics, and wait like messages while the socket is
 * paused.
 *
 * @throws TypeError when the answer cannot be sent
 */
export function answerPings(socket: WebSocket, options: AnswerPingsOptions | null = {}): void {
  const isPing = options?.isPing ?? isAction
  const payload = toPayload(options?.answer ?? '{"type":"pong"}')
  answerFirst(socket, (data, isBinary) => {
    if (!isPing(data, isBinary)) return false
    socket.send(payload)
    return true
  })
}

function isAction(data: string | Buffer, isBinary: boolean): boolean {
  return !isBinary && PING.test(data.toString())
}
