import { IncomingMessage, type IncomingHttpHeaders } from 'node:http'
import { Socket } from 'node:net'

/** A request as `http.Server` emits it, without a connection. */
export function requestWith(parts: {
  readonly url?: string
  readonly headers?: IncomingHttpHeaders
  readonly remoteAddress?: string
  /** Whether the connection uses TLS. */
  readonly encrypted?: boolean
}): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: parts.remoteAddress })
  if (parts.encrypted === true) Object.defineProperty(socket, 'encrypted', { value: true })
  const request = new IncomingMessage(socket)
  if (parts.url !== undefined) request.url = parts.url
  request.headers = parts.headers ?? {}
  return request
}
