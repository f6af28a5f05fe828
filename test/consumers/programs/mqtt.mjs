// aedes over websockets, and MQTT.js as its client: retained messages, QoS 1, and a long payload.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import aedes from 'aedes'
import mqtt from 'mqtt'
import { createWebSocketStream, WebSocketServer } from '#engine'

const broker = aedes()
const http = createServer()
const server = new WebSocketServer({ server: http, handleProtocols: (protocols) => [...protocols][0] })
server.on('connection', (socket, request) => broker.handle(createWebSocketStream(socket), request))
await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
const url = `ws://127.0.0.1:${http.address().port}`
const publisher = await mqtt.connectAsync(url)
await publisher.publishAsync('kept', 'retained', { retain: true, qos: 1 })
const subscriber = await mqtt.connectAsync(url)
const retained = once(subscriber, 'message')
await subscriber.subscribeAsync(['kept', 'news'], { qos: 1 })
assert.deepEqual((await retained).slice(0, 2), ['kept', Buffer.from('retained')])
const payload = Buffer.alloc(1_000_000, 'x')
const message = once(subscriber, 'message')
await publisher.publishAsync('news', payload, { qos: 1 })
assert.ok((await message)[1].equals(payload))
await Promise.all([publisher.endAsync(), subscriber.endAsync()])
await new Promise((resolve) => broker.close(resolve))
server.close()
http.close()
