import { Hub, type WebSocket, WebSocketServer } from 'hubwire'

declare const socket: WebSocket
const server = new WebSocketServer({ port: 0 })

// error: Argument of type '"mesage"' is not assignable to parameter of type '… "message" …'.
socket.on('mesage', () => undefined)
// error: Argument of type '"mesage"' is not assignable to parameter of type
socket.once('mesage', (data: string) => data)
// error: Argument of type '"disconnect"' is not assignable to parameter of type
socket.off('disconnect', () => undefined)
// error: Argument of type '"conection"' is not assignable to parameter of type '… "connection" …'.
server.on('conection', () => undefined)
// error: Argument of type '"eror"' is not assignable to parameter of type '…"error"…'
new Hub().on('eror', () => undefined)
// error: Argument of type '"custom"' is not assignable to parameter of type
socket.emit('custom')
// error: Type 'string' is not assignable to type 'Buffer
socket.on('message', (data: Buffer) => data.length)
// error: Type 'number' is not assignable to type 'string'
socket.on('close', (code: string) => code)
// error: Target signature provides too few arguments
server.on('listening', (port: number) => port)
