// Rooms, namespaces, acknowledgements, binary data, an upgrade from polling and heartbeats, with and without compression.
// hubwire: with `wsEngine`, a class that sets `origins`
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { socketIoOptions } from '#engine'

for (const perMessageDeflate of [false, { threshold: 100 }]) await run(perMessageDeflate)

async function run(perMessageDeflate) {
  const origin = 'https://app.example'
  const http = createServer()
  const server = new Server(http, {
    perMessageDeflate,
    pingInterval: 100,
    cors: { origin },
    ...socketIoOptions,
  })
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

  // As a browser sends it.
  const extraHeaders = { origin }
  const direct = io(url, { transports: ['websocket'], extraHeaders, forceNew: true })
  const upgraded = io(url, { extraHeaders, forceNew: true })
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

  const admin = io(`${url}/admin`, { transports: ['websocket'], extraHeaders, forceNew: true })
  assert.deepEqual(await once(admin, 'hello'), ['/admin'])
  await once(direct.io, 'ping')
  await once(direct.io, 'ping')
  assert.ok(direct.connected && upgraded.connected)
  for (const socket of [direct, upgraded, admin]) socket.disconnect()
  await server.close()
}
