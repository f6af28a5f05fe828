import { IncomingMessage, type IncomingHttpHeaders } from 'node:http'
import { Socket } from 'node:net'

/** A request as `http.Server` hands it on, without a connection. */
export function requestWith(parts: {
  readonly url?: string
  readonly headers?: IncomingHttpHeaders
  readonly remoteAddress?: string
  /** The connection came over TLS. */
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
