// OpenTelemetry spans for the connections of all servers of the process, from hubwire's diagnostics channels.
import { subscribe } from 'node:diagnostics_channel'
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'

/** @typedef {import('hubwire').Diagnostics} Diagnostics */

const tracer = trace.getTracer('hubwire')
/** @type {WeakMap<object, import('@opentelemetry/api').Span>} */
const spans = new WeakMap()

/**
 * The context of a connection: what is started in it is a child of the connection's span.
 * @param {object} socket
 */
export function contextOf(socket) {
  const span = spans.get(socket)
  return span ? trace.setSpan(context.active(), span) : context.active()
}

/**
 * A span for each handshake, at once: that of the connection comes when the connection ends, perhaps days later.
 *
 * @param {import('node:http').IncomingMessage} request
 * @param {number} status
 */
function traceHandshake(request, status) {
  const attributes = {
    'http.request.method': request.method ?? 'GET',
    'http.response.status_code': status,
    'url.path': (request.url ?? '').split('?', 1)[0], // without the query, in which a client may send a token
    'network.protocol.name': 'websocket',
  }
  // The trace of the client, if it sends a `traceparent`. Pages cannot.
  const parent = propagation.extract(ROOT_CONTEXT, request.headers)
  const span = tracer.startSpan('websocket.handshake', { kind: SpanKind.SERVER, attributes }, parent)
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
  return { span, parent: trace.setSpan(parent, span), attributes }
}

subscribe('hubwire:refused', (message) => {
  const { request, status, reason } = /** @type {Diagnostics['hubwire:refused']} */ (message)
  traceHandshake(request, status).span.setAttribute('error.type', reason).end()
})

subscribe('hubwire:connection', (message) => {
  const { socket, request } = /** @type {Diagnostics['hubwire:connection']} */ (message)
  if (request === undefined) return // a client of this process
  const { span, parent, attributes } = traceHandshake(request, 101)
  span.end()
  const connection = { 'url.path': attributes['url.path'], 'client.address': socket.remoteAddress }
  spans.set(socket, tracer.startSpan('websocket.connection', { attributes: connection }, parent))
})

subscribe('hubwire:error', (message) => {
  const { socket, error } = /** @type {Diagnostics['hubwire:error']} */ (message)
  const span = spans.get(socket)
  if (span?.isRecording()) span.recordException(error)
})

subscribe('hubwire:close', (message) => {
  const { socket, code, details } = /** @type {Diagnostics['hubwire:close']} */ (message)
  const span = spans.get(socket)
  if (span === undefined) return // a client's, or older than this subscription
  span.setAttributes({ 'websocket.close.code': code, 'websocket.close.initiator': details.initiator })
  if (details.cause) span.setStatus({ code: SpanStatusCode.ERROR, message: details.cause.message })
  span.end()
})
