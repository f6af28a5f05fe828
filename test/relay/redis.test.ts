import { Hub } from 'hubwire'
import { type RedisClient, redisRelay } from 'hubwire/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FakeMember } from '../support/fake-member.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'

const clients: [string, (path: string) => RedisClient][] = [
  ['redis', (path) => createClient({ socket: { path, tls: false } })],
  ['ioredis', (path) => new Redis({ path, lazyConnect: true })],
]

describe.each(clients)('a relay through %s', requires('redis-server'), (_, clientOf) => {
  function hubAt(server: RedisServer): Hub {
    const hub = new Hub({ relay: redisRelay(clientOf(server.path), { prefix: 'chat:' }) })
    onTestFinished(() => hub.close())
    return hub
  }

  test('reaches the members of other hubs, once and in order', async () => {
    const server = await RedisServer.start()
    const [one, other] = [hubAt(server), hubAt(server)]
    const [here, there] = [new FakeMember(), new FakeMember()]
    one.group('news').add(here)
    other.group('news').add(there)
    await Promise.all([one.ready, other.ready, one.group('news').ready, other.group('news').ready])
    expect(one.broadcast('news', 'first')).toEqual({ delivered: 1, skipped: 0 })
    expect(await one.publish('news', 'second')).toEqual({ delivered: 1, skipped: 0, relayed: true })
    // Behind the messages, so that they have arrived.
    await one.group('news').count()
    expect(await other.publish('news', 'third')).toEqual({ delivered: 1, skipped: 0, relayed: true })
    expect(await one.group('news').count()).toMatchObject({ total: 2, missing: [] })
    expect(here.delivered).toEqual(['first', 'second', 'third'])
    expect(there.delivered).toEqual(['first', 'second', 'third'])
    expect(await one.group('news').closeEverywhere(4001, 'over')).toMatchObject({ closed: 2, missing: [] })
    expect([here.closedWith, there.closedWith]).toEqual([[[4001, 'over']], [[4001, 'over']]])
    const { nodes, missing } = await one.nodes()
    expect(nodes.map(({ isSelf, groups, members }) => [isSelf, groups, members])).toEqual([
      [true, 1, 1],
      [false, 1, 1],
    ])
    expect(missing).toEqual([])
  })
})
