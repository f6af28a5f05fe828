import { connect, Hub, WebSocket, WebSocketServer } from 'hubwire'

// error: 'prot' does not exist in type
new WebSocketServer({ prot: 0 })
// error: 'maxPayLoad' does not exist in type '…'. Did you mean to write 'maxPayload'?
new WebSocketServer({ port: 0, maxPayLoad: 1024 })
// error: Type 'string' is not assignable to type 'number'
new WebSocketServer({ port: '8000' })
// error: 'handshakeTimeOut' does not exist in type 'WebSocketOptions'. Did you mean to write 'handshakeTimeout'?
new WebSocket('ws://127.0.0.1', { handshakeTimeOut: 1000 })
// error: 'handshakeTimeOut' does not exist in type 'WebSocketOptions'. Did you mean to write 'handshakeTimeout'?
void connect('ws://127.0.0.1', { handshakeTimeOut: 1000 })
// error: 'handshakeTimeOut' does not exist in type 'WebSocketOptions'. Did you mean to write 'handshakeTimeout'?
void connect('ws://127.0.0.1', ['chat'], { handshakeTimeOut: 1000 })
// error: Type '"skipp"' is not assignable to type 'SlowPolicy | null | undefined'. Did you mean '"skip"'?
new Hub({ slowPolicy: 'skipp' })
