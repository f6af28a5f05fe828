import type { NatsConnection } from '@nats-io/transport-node'
import { clusterRelay } from 'hubwire/cluster'
import { natsRelay } from 'hubwire/nats'
import { redisRelay } from 'hubwire/redis'
import { relayChecks } from 'hubwire/testing'
import type { Relay } from 'hubwire'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, test } from 'vitest'
import { MemoryBroker } from '../support/memory-broker.js'
import { NatsServer } from '../support/nats-server.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'

/** The names of all checks: each finds its like below in another relay. */
const names = relayChecks(() => new MemoryBroker().relay()).map(({ name }) => name)

async function check(name: string, make: () => Relay): Promise<void> {
  await relayChecks(make)
    .find((one) => one.name === name)!
    .run()
}

describe.each(names)('%s', (name) => {
  test('a relay in memory', async () => {
    const broker = new MemoryBroker()
    await check(name, () => broker.relay())
  })

  test('a relay through redis', requires('redis-server'), async () => {
    const { path } = await RedisServer.start()
    await check(name, () => redisRelay(createClient({ socket: { path, tls: false } })))
  })

  test('a relay through ioredis', requires('redis-server'), async () => {
    const { path } = await RedisServer.start()
    await check(name, () => redisRelay(new Redis({ path, lazyConnect: true })))
  })
})

/** The most relays that a check makes: one to see whether it has partitions, and three that it opens. */
const RELAYS = 3

describe.each(names)('%s', (name) => {
  test('a relay through NATS', requires('nats-server'), async () => {
    const connection = await (await NatsServer.start()).connect()
    await check(name, () => natsRelay(connection))
  })

  test('a relay through NATS, each on a connection with noEcho', requires('nats-server'), async () => {
    const server = await NatsServer.start()
    const connections: NatsConnection[] = []
    while (connections.length < RELAYS) connections.push(await server.connect({ noEcho: true }))
    await check(name, () => natsRelay(connections.pop()!))
  })

  test('a relay in the primary of a cluster', async () => {
    await check(name, () => clusterRelay())
  })
})

describe('the checks detect', () => {
  const wrong: [string, string, (relay: Relay) => void][] = [
    [
      'a changed byte',
      'changes no byte of a message',
      (relay) => {
        const { publish } = relay
        relay.publish = (channel, payload) => publish.call(relay, channel, Buffer.from(payload.toString()))
      },
    ],
    [
      'a subscription that stays',
      'delivers nothing from a channel after its subscription has ended',
      (relay) => {
        relay.unsubscribe = () => Promise.resolve()
      },
    ],
    [
      'messages in another order',
      'keeps the order of one publisher, even across channels',
      (relay) => {
        const { publish } = relay
        let count = 0
        relay.publish = async (channel, payload) => {
          if (count++ % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
          return await publish.call(relay, channel, payload)
        }
      },
    ],
    [
      'a publish after the end',
      'calls no event and rejects commands after it is closed',
      (relay) => {
        relay.publish = () => Promise.resolve(0)
      },
    ],
  ]

  test.each(wrong)('%s', async (_, name, spoil) => {
    const broker = new MemoryBroker()
    const spoilt = (): Relay => {
      const relay = broker.relay()
      spoil(relay)
      return relay
    }
    await expect(check(name, spoilt)).rejects.toThrow()
  })
})
