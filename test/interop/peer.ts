/** What an interoperability scenario requires from both sides, whatever the library. */

/** Abilities that not every library has. A scenario runs only with libraries that have the abilities it needs. */
export type Ability =
  /** sends a message in fragments of the caller's choice */
  | 'fragments'
  /** sends a ping and reports the pong */
  | 'ping'
  /** sends a Close frame without a status */
  | 'bare close'
  /** distinguishes a Close frame without a status from a missing one */
  | '1005'
  /** reports the number of bytes on the wire */
  | 'bytes'
  /** inflates compressed messages */
  | 'inflate'
  /** compresses its own messages */
  | 'deflate'

export interface Close {
  readonly code: number
  readonly reason: string
}

export interface PeerConnection {
  /** The negotiated subprotocol, or ''. */
  readonly protocol: string
  /** The Sec-WebSocket-Extensions of the response, or ''. */
  readonly extensions: string
  readonly closed: Promise<Close>
  send(message: string | Buffer): void
  /** Sends one text message in these fragments, which may split a character. */
  sendFragments(fragments: readonly Buffer[]): void
  /** Resolves to the payload of the pong. */
  ping(payload: string): Promise<string>
  nextMessage(): Promise<string | Buffer>
  close(code?: number, reason?: string): void
  /** Waits for pending work when it is closed. */
  settled?(): Promise<void>
}

export interface PeerClient {
  readonly abilities: ReadonlySet<Ability>
  /** The code with which it answers a Close, where that is not the code received (RFC 6455 section 5.5.1: "typically"). */
  readonly closeAnswer?: number
  /** Rejects when the server refuses. */
  open(url: string, protocols: readonly string[]): Promise<PeerConnection>
}

/**
 * A server behaves by the path of the URL, and keeps how the connection with a certain `id` in the query was closed:
 * `/echo` returns messages; `/fragments` answers any message with a text in fragments; `/ping` sends a ping and,
 * when the pong comes, a text with its payload; `/close?code=&reason=` closes at once; `/bytes` answers a message with one
 * just as long, and with a JSON text that says how many bytes the two took on the wire; `/refused` is refused. It speaks the
 * subprotocol `superchat`.
 */
export interface PeerServer {
  readonly url: string
  closeOf(id: string): Promise<Close>
  stop(): Promise<void>
}

/** What a server sends for `/ping`, and its text in fragments for `/fragments`. */
export const pingPayload = 'are you there?'
export const fragments: readonly Buffer[] = ['Grü', '', 'ße 👋'].map((text) => Buffer.from(text))
/** The same text, split within characters. */
export const splitFragments: readonly Buffer[] = (() => {
  const whole = Buffer.concat(fragments)
  return [whole.subarray(0, 3), whole.subarray(3, 3), whole.subarray(3, whole.length - 2), whole.subarray(-2)]
})()
