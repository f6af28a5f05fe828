import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'

/**
 * @param {(path: string) => import('hubwire/redis').RedisClient} clientOf
 * @returns {import('../peer.js').Peer}
 */
export function hubwire(clientOf) {
  /** @param {string} redis */
  const connect = async (redis) => {
    const hub = new Hub({ relay: redisRelay(clientOf(redis)) })
    hub.on('gap', (gap) => console.error(JSON.stringify(gap)))
    await hub.ready
    return hub
  }
  return {
    async join(redis, members, sink) {
      const hub = await connect(redis)
      const group = hub.group('news')
      for (let index = 0; index < members; index++) {
        group.add({
          readyState: 1,
          deliver(message) {
            sink.take(message)
            return true
          },
          close: () => undefined,
          onceClosed: () => undefined,
        })
      }
      await group.ready
    },
    textOf: (/** @type {import('hubwire').PreparedMessage} */ message) => message.payload.toString(),
    async connectPublisher(redis) {
      const group = (await connect(redis)).group('news')
      return async (texts) => {
        for (let index = 1; index < texts.length; index++) group.broadcast(texts[index - 1] ?? '')
        const { relayed } = await group.publish(texts.at(-1) ?? '')
        if (!relayed) console.error('not relayed')
      }
    },
  }
}
