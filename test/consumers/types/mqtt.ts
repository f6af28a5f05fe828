import { createServer } from 'node:http'
import mqtt, { type IClientOptions } from 'mqtt'
import { createWebSocketStream, WebSocketServer } from 'ws'

const http = createServer()
const server = new WebSocketServer({
  server: http,
  handleProtocols: (protocols) => [...protocols][0] ?? false,
})
server.on('connection', (socket, request) => {
  createWebSocketStream(socket).pipe(process.stdout)
  void request.url
})
const options: IClientOptions = {
  wsOptions: { headers: { a: 'b' }, perMessageDeflate: false, handshakeTimeout: 1000 },
}
export const client: mqtt.MqttClient = mqtt.connect('ws://a.example', options)
