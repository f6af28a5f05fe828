// Listeners of 'message' in every form that users write them.
import { once } from 'node:events'
import { connect, type Message, type WebSocketEvents, WebSocketServer } from 'hubwire'

const server = new WebSocketServer({ port: 0 })
server.on('connection', (socket) => {
  // Two parameters: `isBinary` narrows `data`.
  socket.on('message', (data, isBinary) => {
    if (isBinary) {
      const bytes: Buffer | ArrayBuffer = data
      socket.send(bytes.byteLength)
    } else {
      const text: string = data
      socket.send(text.toUpperCase())
    }
  })
  socket.once('message', (data, isBinary) => {
    if (!isBinary) socket.send(data.length)
  })
  socket.prependListener('message', async (data, isBinary) => {
    await Promise.resolve()
    if (!isBinary) socket.send(data.trim())
  })

  // One parameter, none, or all as an array.
  socket.on('message', (data) => socket.send(data))
  socket.on('message', (data) => {
    if (typeof data === 'string') socket.send(data.trim())
    else if (data instanceof ArrayBuffer) socket.send(data.slice(1))
    else socket.send(data.subarray(1))
  })
  socket.on('message', () => socket.send('something came'))
  socket.on('message', (...message) => socket.send(message[0]))

  // A type at the parameter.
  socket.on('message', (data: string | Buffer | ArrayBuffer) => socket.send(data))
  socket.on('message', (data: unknown, isBinary: boolean) => socket.send(`${typeof data} ${isBinary}`))

  // A function of its own: the destructured arguments narrow as well.
  function onMessage(...[data, isBinary]: Message): void {
    if (!isBinary) socket.send(data.trim())
  }
  socket.on('message', onMessage)
  socket.off('message', onMessage)

  // `this` is the socket, as in `ws`.
  socket.on('message', function (data) {
    this.send(data)
  })
})

const socket = await connect('ws://127.0.0.1:1')
const [data, isBinary] = (await once(socket, 'message')) as Message
if (!isBinary) data.trim()
for await (const message of socket) {
  if (typeof message === 'string') message.trim()
}
socket.addEventListener('message', (event) => {
  if (typeof event.data === 'string') event.data.trim()
})
const closing: WebSocketEvents['close'] = [
  1000,
  '',
  { wasClean: true, initiator: 'local', cause: undefined, dropped: 0 },
]
socket.emit('close', ...closing)
