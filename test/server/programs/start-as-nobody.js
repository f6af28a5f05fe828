// A server on a unix socket that starts without the rights of root, whoever runs the tests.
import { WebSocketServer } from 'hubwire'

if (process.getuid?.() === 0) process.setuid?.(65_534)
const server = new WebSocketServer({ unixPath: process.argv[2] ?? '' })
server.on('error', (error) => {
  console.log(error.message)
})
server.on('listening', () => {
  console.log('listening')
})
