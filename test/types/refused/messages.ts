import type { WebSocket } from 'hubwire'

declare const socket: WebSocket

socket.on('message', (data, isBinary) => {
  // error: Property 'trim' does not exist on type 'string | ArrayBuffer | Buffer
  data.trim()
  // error: Argument of type 'ArrayBuffer | Buffer<ArrayBufferLike>' is not assignable to parameter of type 'string'
  if (isBinary) JSON.parse(data)
  // error: Property 'byteLength' does not exist on type 'string'
  else data.byteLength
})
// error: Argument of type 'string | ArrayBuffer | Buffer<ArrayBufferLike>' is not assignable to parameter of type 'string'
socket.on('message', (data) => void JSON.parse(data))
// error: Argument of type 'Date' is not assignable to parameter of type
socket.send(new Date())
