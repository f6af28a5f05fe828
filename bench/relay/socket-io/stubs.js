import { Server } from 'socket.io'
import { redisClient } from '../peers/clients.js'

/**
 * Socket.IO with an adapter. Its members are stubs, at the place where it hands a packet to a transport.
 *
 * @param {(clients: any[]) => any} adapterOf makes the adapter of a publishing and a subscribing client
 * @returns {import('../peer.js').Peer}
 */
export function socketIo(adapterOf) {
  /** @param {string} redis */
  const connect = async (redis) => {
    const clients = [redisClient(redis), redisClient(redis)]
    await Promise.all(clients.map((client) => client.connect()))
    return { io: new Server({ adapter: adapterOf(clients) }), client: clients[0] }
  }
  return {
    async join(redis, members, sink) {
      const { io } = await connect(redis)
      const namespace = io.of('/')
      for (let index = 0; index < members; index++) {
        const id = `member ${index}`
        const member = {
          id,
          client: { writeToEngine: (/** @type {string[]} */ packets) => sink.take(packets) },
          notifyOutgoingListeners: () => undefined,
        }
        namespace.sockets.set(id, /** @type {any} */ (member))
        await namespace.adapter.addAll(id, new Set(['news']))
      }
      // Nothing says when the subscription is there.
      await new Promise((resolve) => setTimeout(resolve, 1000))
    },
    textOf: (/** @type {string[]} */ packets) => packets[0] ?? '',
    async connectPublisher(redis) {
      const { io, client } = await connect(redis)
      await new Promise((resolve) => setTimeout(resolve, 1000))
      return async (texts) => {
        for (const text of texts) io.to('news').emit('m', text)
        // Its answer comes behind those of the messages.
        await client?.ping()
      }
    },
  }
}
