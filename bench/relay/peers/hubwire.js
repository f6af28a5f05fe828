import { Hub } from 'hubwire'

/**
 * @param {(address: string) => import('hubwire').HubOptions['relay'] | Promise<import('hubwire').HubOptions['relay']>} relayOf
 * @returns {import('../peer.js').Peer}
 */
export function hubwire(relayOf) {
  /** @param {string} broker */
  const connect = async (broker) => {
    const hub = new Hub({ relay: await relayOf(broker) })
    hub.on('gap', (gap) => console.error(JSON.stringify(gap)))
    await hub.ready
    return hub
  }
  return {
    async join(broker, members, sink) {
      const hub = await connect(broker)
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
    async connectPublisher(broker) {
      const group = (await connect(broker)).group('news')
      return async (texts) => {
        for (let index = 1; index < texts.length; index++) group.broadcast(texts[index - 1] ?? '')
        const { relayed } = await group.publish(texts.at(-1) ?? '')
        if (!relayed) console.error('not relayed')
      }
    },
  }
}
