/** Who ended a connection and why. */
export interface CloseDetails {
  /** Whether both ends sent a Close frame (RFC 6455 section 7.1.4). */
  readonly wasClean: boolean
  /** Which end began the end: ours or the peer's. */
  readonly initiator: 'local' | 'remote'
  /** What went wrong, if anything did. */
  readonly cause: Error | undefined
}

/** What a connection emits. */
export interface ConnectionEvents {
  message: [data: string | Buffer | ArrayBuffer, isBinary: boolean]
  ping: [payload: Buffer]
  pong: [payload: Buffer]
  drain: []
  error: [error: Error]
  close: [code: number, reason: string, details: CloseDetails]
}

/** Who emits it; a plain emitter, so that nothing stands between the decoder and the user's listeners. */
export interface ConnectionEmitter {
  emit<Name extends keyof ConnectionEvents>(name: Name, ...values: ConnectionEvents[Name]): boolean
  listenerCount(name: keyof ConnectionEvents): number
}

/** What binary messages are handed out as; `'blob'` is for WHATWG's events alone, others get a Buffer. */
export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'blob'
