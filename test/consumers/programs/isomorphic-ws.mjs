// The web's interface over isomorphic-ws.
import assert from 'node:assert/strict'
import WebSocket from 'isomorphic-ws'

const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' })
server.on('connection', (socket) =>
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
)
await new Promise((resolve) => server.once('listening', resolve))
const client = new WebSocket(`ws://127.0.0.1:${server.address().port}`)
client.binaryType = 'arraybuffer'
await new Promise((resolve) => (client.onopen = resolve))
client.send('text')
const { data } = await new Promise((resolve) => (client.onmessage = resolve))
assert.equal(data, 'text')
client.send(new Uint8Array([1, 2]))
const event = await new Promise((resolve) => (client.onmessage = resolve))
assert.deepEqual(event.data, new Uint8Array([1, 2]).buffer)
client.close(4001, 'bye')
const { code, reason, wasClean } = await new Promise((resolve) => (client.onclose = resolve))
assert.deepEqual({ code, reason, wasClean }, { code: 4001, reason: 'bye', wasClean: true })
server.close()
