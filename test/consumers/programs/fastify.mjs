// A route over a real connection, a hook that refuses, and injectWS without a port.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import WebSocket from 'ws'

const app = fastify()
await app.register(websocket, { options: { maxPayload: 1_048_576 } })
app.get('/echo', { websocket: true }, (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})
app.get(
  '/no',
  { websocket: true, preValidation: (_request, reply) => reply.code(401).send('no') },
  () => undefined,
)
await app.ready()
const injected = await app.injectWS('/echo')
injected.send('injected')
assert.equal(String((await once(injected, 'message'))[0]), 'injected')
injected.terminate()
await assert.rejects(app.injectWS('/no'), /401/)

const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')
const client = new WebSocket(`${url}/echo`)
await once(client, 'open')
client.send('real')
assert.equal(String((await once(client, 'message'))[0]), 'real')
const [refused] = await once(new WebSocket(`${url}/no`), 'error')
assert.match(refused.message, /401/)
client.close()
await once(client, 'close')
await app.close()
