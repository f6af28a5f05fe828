import type { CloseDetails } from 'hubwire'
import { expect } from 'vitest'

export interface Closed extends CloseDetails {
  readonly code: number
  readonly reason: string
}

interface Closable {
  once(event: 'close', listener: (code: number, reason: string, details: CloseDetails) => void): unknown
}

/** Resolves to how a socket closes. */
export function closeOf(socket: Closable): Promise<Closed> {
  return new Promise((resolve) => {
    socket.once('close', (code, reason, details) => {
      resolve({ code, reason, ...details })
    })
  })
}

/** How the heartbeat closes the connection to a silent peer. */
export const SILENT_PEER = {
  code: 1006,
  reason: '',
  wasClean: false,
  initiator: 'local',
  cause: expect.objectContaining({
    code: 'WS_ERR_SILENT_PEER',
    message: 'The peer is gone: it was silent, and did not answer a Ping in time',
  }) as Error,
}
