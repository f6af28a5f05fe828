// Two documents, each synchronized between two clients through the server of y-websocket, and awareness.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { WebSocket, WebSocketServer } from '#engine'

// In CommonJS all parts share one Yjs.
const require = createRequire(import.meta.url)
const Y = require('yjs')
const { WebsocketProvider } = require('y-websocket')
const { setupWSConnection } = require('y-websocket/bin/utils')

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
server.on('connection', setupWSConnection)
await new Promise((resolve) => server.once('listening', resolve))
const url = `ws://127.0.0.1:${server.address().port}`
const open = (room) => {
  const document = new Y.Doc()
  const provider = new WebsocketProvider(url, room, document, {
    WebSocketPolyfill: WebSocket,
    disableBc: true,
  })
  return { provider, text: document.getText('text') }
}
const ends = [open('one'), open('one'), open('two'), open('two')]
await Promise.all(ends.map(({ provider }) => new Promise((resolve) => provider.once('sync', resolve))))

const changed = (text) => new Promise((resolve) => text.observe(() => resolve()))
const [one, otherOne, two, otherTwo] = ends
const changes = Promise.all([changed(otherOne.text), changed(otherTwo.text)])
one.text.insert(0, 'hello')
two.text.insert(0, 'x'.repeat(100_000))
await changes
assert.deepEqual(
  ends.map(({ text }) => text.length),
  [5, 5, 100_000, 100_000],
)
const answer = changed(one.text)
otherOne.text.insert(5, ' world')
await answer
assert.equal(one.text.toString(), 'hello world')

const seen = new Promise((resolve) => otherTwo.provider.awareness.once('change', resolve))
two.provider.awareness.setLocalStateField('user', 'anna')
await seen
const users = [...otherTwo.provider.awareness.getStates().values()].map(({ user }) => user)
assert.ok(users.includes('anna'))
for (const { provider } of ends) provider.destroy()
for (const socket of server.clients) socket.terminate()
server.close()
process.exit()
