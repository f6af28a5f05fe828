// The WebSocket of a page in jsdom.
import assert from 'node:assert/strict'
import { JSDOM } from 'jsdom'
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'chat' })
server.on('connection', (socket) =>
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
)
await new Promise((resolve) => server.once('listening', resolve))
const { window } = new JSDOM('', { url: 'http://127.0.0.1/' })
const socket = new window.WebSocket(`ws://127.0.0.1:${server.address().port}`, 'chat')
await new Promise((resolve) => (socket.onopen = resolve))
assert.equal(socket.protocol, 'chat')
socket.send('hi')
const { data } = await new Promise((resolve) => (socket.onmessage = resolve))
assert.equal(data, 'hi')
socket.close(4001, 'bye')
const { code, wasClean } = await new Promise((resolve) => (socket.onclose = resolve))
assert.deepEqual({ code, wasClean }, { code: 4001, wasClean: true })
window.close()
server.close()
