import type { CloseDetails } from 'hubwire'

export interface Closed extends CloseDetails {
  readonly code: number
  readonly reason: string
}

interface Closable {
  once(event: 'close', listener: (code: number, reason: string, details: CloseDetails) => void): unknown
}

/** How a socket is closed, once it is. */
export function closeOf(socket: Closable): Promise<Closed> {
  return new Promise((resolve) => {
    socket.once('close', (code, reason, details) => {
      resolve({ code, reason, ...details })
    })
  })
}
