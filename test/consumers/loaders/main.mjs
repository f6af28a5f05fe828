import WebSocket, { WebSocketServer } from 'ws'
import { echo } from './echo.cjs'

echo().then((text) => {
  console.log(JSON.stringify({ text, isServer: WebSocket.Server === WebSocketServer }))
})
