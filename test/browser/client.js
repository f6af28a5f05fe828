// The client for pages as a program, in whatever runs it. It prints the states and messages, answers each message, and ends
// by itself when the server says `end`. OWN=1 makes it connect by hubwire's own class, and not by the global one.
import { ReconnectingWebSocket } from 'hubwire/browser'

const { URL = '', OWN } = process.env
const say = (/** @type {string} */ line) => process.stdout.write(`${line}\n`)
const own = OWN === '1' ? { WebSocket: (await import('hubwire')).WebSocket } : {}

const socket = new ReconnectingWebSocket(URL, { delay: { min: 1, first: 20, max: 40 }, log: false, ...own })
say(socket.status.state)
socket.addEventListener('state', ({ state }) => say(state))
socket.addEventListener('message', ({ data }) => {
  say(`got ${String(data)}`)
  if (data === 'end') socket.close(4000, 'as told')
  else say(socket.send(`answer to ${String(data)}`))
})
