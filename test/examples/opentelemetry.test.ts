import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { connect, queryToken, refuse } from 'hubwire'
import { afterAll, beforeEach, expect, test } from 'vitest'
import '../../examples/opentelemetry/tracing.js'
import { closeOf } from '../support/close-of.js'
import { Example } from '../support/example.js'
import { settled } from '../support/event-loop.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()

afterAll(() => provider.shutdown())
beforeEach(() => {
  exporter.reset()
})

/** The spans once there are as many, in the order in which they ended. */
async function spans(count: number): Promise<ReadableSpan[]> {
  while (exporter.getFinishedSpans().length < count) await settled()
  return exporter.getFinishedSpans()
}

const accepting = async () =>
  runningServer({
    authenticate: (request) => queryToken(request) ?? refuse(401, { body: 'A token is missing\n' }),
  })

test('records a connection and its handshake as spans in the trace of the client (N14)', async () => {
  const { url, next } = await accepting()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const client = await connect(`${url}/chat/lobby?token=secret`, { headers: { traceparent } })
  await next()
  client.close(4000, 'secret')
  await closeOf(client)

  const [handshake, connection] = (await spans(2)) as [ReadableSpan, ReadableSpan]
  expect(handshake).toMatchObject({
    name: 'websocket.handshake',
    kind: SpanKind.SERVER,
    parentSpanContext: { spanId: 'b7ad6b7169203331', isRemote: true },
    status: { code: SpanStatusCode.UNSET },
    attributes: {
      'http.request.method': 'GET',
      'http.response.status_code': 101,
      'url.path': '/chat/lobby',
      'network.protocol.name': 'websocket',
    },
  })
  expect(connection).toMatchObject({
    name: 'websocket.connection',
    parentSpanContext: { spanId: handshake.spanContext().spanId },
    status: { code: SpanStatusCode.UNSET },
    attributes: {
      'url.path': '/chat/lobby',
      'client.address': '127.0.0.1',
      'websocket.close.code': 4000,
      'websocket.close.initiator': 'remote',
    },
  })
  for (const span of [handshake, connection]) {
    expect(span.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c')
    expect(JSON.stringify([span.name, span.attributes, span.status, span.events])).not.toContain('secret')
  }
})

test('records a refused handshake as a span with its status and reason, without the query (N14)', async () => {
  const { url } = await accepting()
  await expect(connect(`${url}/chat?tokn=secret`)).rejects.toThrow('401')
  await expect(connect(`${url}/chat?token=secret`, { origin: 'https://a.example' })).rejects.toThrow('403')
  const [missing, foreign] = await spans(2)
  expect([missing, foreign]).toMatchObject([
    { attributes: { 'http.response.status_code': 401, 'url.path': '/chat', 'error.type': 'application' } },
    { attributes: { 'http.response.status_code': 403, 'url.path': '/chat', 'error.type': 'origin' } },
  ])
  for (const span of [missing!, foreign!]) expect(JSON.stringify(span.attributes)).not.toContain('secret')
})

test('records a broken connection as a span with the error', async () => {
  const { url, port, server } = await accepting()
  server.on('error', () => {})
  server.on('connection', (socket) => {
    socket.on('message', () => {
      throw new Error('a bug')
    })
  })
  const client = await connect(`${url}/?token=ada`)
  client.send('hello')
  expect(await closeOf(client)).toMatchObject({ code: 1011 })
  const { peer } = await openAsClient(port, {}, '/?token=eve')
  peer.reset()
  const [failed, broken] = (await spans(4)).filter(({ name }) => name === 'websocket.connection')
  expect(failed).toMatchObject({
    status: { code: SpanStatusCode.ERROR, message: 'a bug' },
    events: [{ name: 'exception', attributes: { 'exception.message': 'a bug' } }],
  })
  expect(broken).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'websocket.close.code': 1006 },
  })
})

test('exports its spans, those of messages within their connection, and exits on SIGTERM', async () => {
  const example = await Example.forTest('opentelemetry')
  const client = await example.connect('/chat?token=secret')
  client.socket.send('hello')
  expect(await client.received.next()).toBe('hello')
  await example.expectToStop(client)
  const output = example.program.lines.join('\n')
  const ids = (name: string) =>
    Array.from(output.matchAll(/^\{\n[^]*?^\}$/gm), ([span]) => span)
      .filter((span) => span.includes(`name: '${name}'`))
      .map((span) => ({ id: / {2}id: '(\w+)'/.exec(span)?.[1], parent: /spanId: '(\w+)'/.exec(span)?.[1] }))
  const [handshake, connection, message] = ['websocket.handshake', 'websocket.connection', 'echo'].map(ids)
  expect(connection).toEqual([{ id: expect.any(String) as string, parent: handshake![0]!.id }])
  expect(message).toEqual([{ id: expect.any(String) as string, parent: connection![0]!.id }])
  expect(output).toContain("'url.path': '/chat'")
  expect(output).not.toContain('secret')
})
