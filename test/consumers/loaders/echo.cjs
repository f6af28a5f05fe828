// CommonJS throughout: a server and a client from require('ws'), and what a dependent of ws does with it.
const assert = require('node:assert/strict')
const { once } = require('node:events')
const WebSocket = require('ws')

exports.echo = async function echo() {
  class Mine extends WebSocket {}
  const server = new WebSocket.Server({ port: 0, host: '127.0.0.1', WebSocket: Mine })
  await once(server, 'listening')
  server.on('connection', (socket) => {
    assert.ok(socket instanceof Mine)
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  const client = new WebSocket(`ws://127.0.0.1:${server.address().port}`)
  await once(client, 'open')
  client.send('echo')
  const [data] = await once(client, 'message')
  client.close()
  await once(client, 'close')
  server.close()
  return String(data)
}
