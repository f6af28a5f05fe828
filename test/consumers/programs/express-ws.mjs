// A route and its broadcast list.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import express from 'express'
import expressWs from 'express-ws'
import WebSocket from 'ws'

const app = express()
const { getWss } = expressWs(app)
app.ws('/echo/:name', (socket, request) => {
  socket.on('message', (text) => {
    for (const client of getWss().clients) client.send(`${request.params.name}: ${text}`)
  })
})
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `ws://127.0.0.1:${server.address().port}`
const client = new WebSocket(`${url}/echo/anna`)
await once(client, 'open')
client.send('hi')
assert.equal(String((await once(client, 'message'))[0]), 'anna: hi')
client.close()
await once(client, 'close')
const lost = new WebSocket(`${url}/nowhere`)
await once(lost, 'open').catch(() => undefined)
lost.terminate()
server.close()
