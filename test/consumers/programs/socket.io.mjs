// Rooms, namespaces, acknowledgements, binary data, an upgrade from polling, and compression.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'

const http = createServer()
const server = new Server(http, { perMessageDeflate: { threshold: 100 }, pingInterval: 200 })
server.on('connection', (socket) => {
  socket.on('join', (room, done) => {
    socket.join(room)
    done(room)
  })
  socket.on('echo', (data, done) => done(data))
})
server.of('/admin').on('connection', (socket) => {
  socket.emit('hello', socket.nsp.name)
})
await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${http.address().port}`

const direct = io(url, { transports: ['websocket'] })
const upgraded = io(url)
const upgrade = new Promise((resolve) => upgraded.io.engine.once('upgrade', resolve))
await Promise.all([once(direct, 'connect'), once(upgraded, 'connect')])
assert.equal((await upgrade).name, 'websocket')

assert.equal(await direct.emitWithAck('join', 'room'), 'room')
assert.equal(await upgraded.emitWithAck('join', 'room'), 'room')
const bytes = Buffer.from([1, 2, 3])
assert.deepEqual(await direct.emitWithAck('echo', { bytes, text: 'é' }), { bytes, text: 'é' })
const long = 'long '.repeat(50_000)
assert.equal(await upgraded.emitWithAck('echo', long), long)

const heard = [direct, upgraded].map((socket) => once(socket, 'news'))
server.to('room').emit('news', { n: 1 })
assert.deepEqual(await Promise.all(heard), [[{ n: 1 }], [{ n: 1 }]])
const binary = [direct, upgraded].map((socket) => once(socket, 'bytes'))
server.to('room').emit('bytes', bytes)
assert.deepEqual(await Promise.all(binary), [[bytes], [bytes]])

const admin = io(`${url}/admin`, { transports: ['websocket'] })
assert.deepEqual(await once(admin, 'hello'), ['/admin'])
// Two heartbeats.
await new Promise((resolve) => setTimeout(resolve, 500))
assert.ok(direct.connected && upgraded.connected)
for (const socket of [direct, upgraded, admin]) socket.disconnect()
await server.close()
