// An echo whose connections and messages are traced with OpenTelemetry. PORT and HOST set the address.
import { trace } from '@opentelemetry/api'
import { ConsoleSpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { queryToken, refuse, WebSocketServer } from 'hubwire'
import { contextOf } from './tracing.js'

// In production, a BatchSpanProcessor with the OTLPTraceExporter of @opentelemetry/exporter-trace-otlp-http.
const provider = new NodeTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())],
})
provider.register()
const tracer = trace.getTracer('echo')

const { HOST = '127.0.0.1', PORT = '8000' } = process.env
const server = new WebSocketServer({
  host: HOST,
  port: Number(PORT),
  authenticate: (request) => queryToken(request) ?? refuse(401, { body: 'A token is missing\n' }),
})
server.on('connection', (socket) => {
  socket.on('message', (data) => {
    tracer.startActiveSpan('echo', {}, contextOf(socket), (span) => {
      socket.send(data)
      span.end()
    })
  })
})
server.on('listening', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`The server is at http://${HOST}:${port}/`)
})

async function stop() {
  await server.shutdown({ code: 1001, reason: 'The server stops', timeout: 10_000 })
  await provider.shutdown() // exports pending spans
}
process.once('SIGTERM', () => void stop())
