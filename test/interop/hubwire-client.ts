import { once } from 'node:events'
import { connect, WebSocket } from 'hubwire'
import { Queue } from '../support/queue.js'
import type { Ability, Close, PeerClient, PeerConnection } from './peer.js'

const abilities: ReadonlySet<Ability> = new Set<Ability>([
  'fragments',
  'ping',
  'bare close',
  '1005',
  'inflate',
  'deflate',
])

/** Uses `new WebSocket(url)` and its events. */
export function hubwireClient(deflate: boolean): PeerClient {
  return {
    abilities,
    async open(url, protocols) {
      const socket = new WebSocket(url, [...protocols], {
        perMessageDeflate: deflate,
        maxPayload: 4 * 1024 * 1024,
      })
      const connection = listenTo(socket)
      await once(socket, 'open')
      return connection
    },
  }
}

/** Uses `await connect(url)`, with which listeners are added only after the connection is open. */
export function hubwireConnect(deflate: boolean): PeerClient {
  return {
    abilities,
    async open(url, protocols) {
      return listenTo(
        await connect(url, [...protocols], { perMessageDeflate: deflate, maxPayload: 4 * 1024 * 1024 }),
      )
    },
  }
}

function listenTo(socket: WebSocket): PeerConnection {
  const messages = new Queue<string | Buffer>()
  socket.on('message', (data) => {
    messages.push(data as string | Buffer)
  })
  const closed = new Promise<Close>((resolve) => {
    socket.on('close', (code, reason) => {
      resolve({ code, reason })
    })
  })
  return {
    get protocol() {
      return socket.protocol
    },
    get extensions() {
      return socket.extensions
    },
    closed,
    send: (message) => void socket.send(message),
    sendFragments(fragments) {
      fragments.forEach((fragment, at) => {
        socket.send(fragment, { binary: false, fin: at === fragments.length - 1 })
      })
    },
    async ping(payload) {
      const pong = once(socket, 'pong') as Promise<[Buffer]>
      socket.ping(payload)
      return (await pong)[0].toString()
    },
    nextMessage: () => messages.next(),
    close(code, reason) {
      socket.close(code, reason)
    },
  }
}
