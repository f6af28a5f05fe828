/** Who ended a connection and why. */
export interface CloseDetails {
  /** Whether both ends sent a Close frame (RFC 6455 section 7.1.4), and ours was handed to the operating system. */
  readonly wasClean: boolean
  /** Which end began the closing handshake or broke the connection. */
  readonly initiator: 'local' | 'remote'
  /** What went wrong, if anything did. */
  readonly cause: Error | undefined
  /**
   * Messages that were received and not delivered: the socket was paused and did not resume within `closeTimeout`, was
   * terminated, a rate was exceeded, or one of its listeners had failed.
   */
  readonly dropped: number
}

/** What a connection emits. */
export interface ConnectionEvents {
  open: []
  message: [data: string | Buffer | ArrayBuffer, isBinary: boolean]
  ping: [payload: Buffer]
  pong: [payload: Buffer]
  drain: []
  error: [error: Error]
  close: [code: number, reason: string, details: CloseDetails]
}

/** The emitter of a connection's events: a plain one, so that there is no layer between the decoder and the listeners. */
export interface ConnectionEmitter {
  emit<Name extends keyof ConnectionEvents>(name: Name, ...values: ConnectionEvents[Name]): boolean
  listenerCount(name: keyof ConnectionEvents): number
}

/** The type of binary messages. `'blob'` applies to WHATWG's events only; other listeners get a Buffer. */
export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'blob'
