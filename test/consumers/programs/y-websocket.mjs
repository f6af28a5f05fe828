// Two documents that are kept the same through the server of y-websocket.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import WebSocket, { WebSocketServer } from 'ws'

// In CommonJS all parts share one Yjs.
const require = createRequire(import.meta.url)
const Y = require('yjs')
const { WebsocketProvider } = require('y-websocket')
const { setupWSConnection } = require('y-websocket/bin/utils')

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
server.on('connection', setupWSConnection)
await new Promise((resolve) => server.once('listening', resolve))
const url = `ws://127.0.0.1:${server.address().port}`
const documents = [new Y.Doc(), new Y.Doc()]
const providers = documents.map(
  (document) =>
    new WebsocketProvider(url, 'room', document, { WebSocketPolyfill: WebSocket, disableBc: true }),
)
await Promise.all(providers.map((provider) => new Promise((resolve) => provider.once('sync', resolve))))
const changed = new Promise((resolve) => documents[1].getText('t').observe(() => resolve()))
documents[0].getText('t').insert(0, 'hello')
await changed
assert.equal(documents[1].getText('t').toString(), 'hello')
for (const provider of providers) provider.destroy()
for (const socket of server.clients) socket.terminate()
server.close()
process.exit()
