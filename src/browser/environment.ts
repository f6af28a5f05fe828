/** What can be sent: text, or bytes in any form. */
export type Sendable = string | ArrayBuffer | ArrayBufferView | Blob

/** A socket with WHATWG's interface, as far as it is used here. */
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
 * What is used of the global object, all of which may be missing: a page has everything, a worker no document, Node.js no
 * location. Declared here, so that the published types need neither those of the DOM nor those of Node.js.
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
