// Real clients of the workers: node client.js PROTOCOL MEMBERS SOCKET...
import { setTimeout } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { say, serve, Sink } from './control.js'

const [protocol, members, ...paths] = process.argv.slice(2)
const isSocketIo = protocol === 'socket.io'
const target = isSocketIo ? '/socket.io/?EIO=4&transport=websocket' : '/'
const sink = new Sink((text) => text)

/**
 * Resolves when the member has joined; rejects when the worker does not listen yet.
 *
 * @param {string} path
 */
async function join(path) {
  const socket = new WebSocket(`ws+unix:${path}:${target}`, {
    perMessageDeflate: false,
    origin: 'http://localhost',
  })
  await new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('message', (/** @type {Buffer} */ data) => {
      const text = String(data)
      if (/^(42\["m",")?\d{16}/.test(text)) sink.take(text)
      else if (text.includes('joined')) resolve(undefined)
      else if (text === '2') socket.send('3')
      else if (text.startsWith('0')) socket.send('40')
    })
  })
}

/** @param {string} path */
async function joinWhenItListens(path) {
  for (let attempts = 0; attempts < 300; attempts++) {
    try {
      await join(path)
      return
    } catch {
      await setTimeout(100)
    }
  }
  throw new Error(`nobody listens at ${path}`)
}

for (const path of paths) for (let index = 0; index < Number(members); index++) await joinWhenItListens(path)
// A channel layer may subscribe later.
await setTimeout(1000)
serve((line) => sink.answer(line))
say('ready')
