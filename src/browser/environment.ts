/** What can be sent: text, or bytes in any form. */
export type Sendable = string | ArrayBuffer | ArrayBufferView | Blob

/** The part of WHATWG's WebSocket interface that is used here. */
export interface SocketLike {
  binaryType: string
  readonly readyState: number
  readonly protocol: string
  readonly bufferedAmount: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(data: Sendable): unknown
  close(code?: number, reason?: string): void
}

/** A class with WHATWG's interface: the browser's, Node's, or hubwire's own. */
export type SocketClass = new (url: string, protocols: string | string[]) => SocketLike

/**
 * The part of the global object that is used here. Each member may be missing: a worker has no document, Node.js has no
 * location. It is declared here so that the published types need neither the DOM's nor Node.js's types.
 */
interface Environment {
  readonly WebSocket?: SocketClass
  readonly location?: { readonly href: string; readonly origin: string }
  readonly navigator?: { readonly onLine?: boolean }
  readonly document?: { readonly visibilityState: string }
  addEventListener?(type: string, listener: (event: { readonly type: string }) => void): void
  removeEventListener?(type: string, listener: (event: { readonly type: string }) => void): void
}

export const environment = globalThis as unknown as Environment
