import { type Gap, Hub, type RelayOptions } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { settled, turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { freePort } from '../support/free-port.js'
import { type ClientName, redisClients } from '../support/redis-clients.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'
import { startForwarder } from '../support/stopped-forwarder.js'

function hubAt(path: string, client: ClientName, options: RelayOptions = {}): Hub {
  const relay = redisRelay(redisClients[client].server(path), {
    prefix: 'chat:',
    heartbeatInterval: 50,
    ...options,
  })
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  return hub
}

const missedIn = (gaps: readonly Gap[]): number => gaps.reduce((sum, { missed = 0 }) => sum + missed, 0)

const isConnected = (hub: Hub): boolean => hub.stats().relay?.connected === true

/** The ids of the connections that the broker has, but for the one that asks. */
async function connectionsOf(server: RedisServer): Promise<string[]> {
  const list = (await server.command('CLIENT', 'LIST')) as string
  return Array.from(list.matchAll(/^id=(\d+) .* cmd=(?!client)/gm), ([, id]) => id!)
}

/** Two hubs, and a member of the second in the group `news`. */
async function pair(path: string, client: ClientName): Promise<[Hub, Hub, FakeMember]> {
  const [one, other] = [hubAt(path, client), hubAt(path, client)]
  const member = new FakeMember()
  other.group('news').add(member)
  await Promise.all([one.ready, other.ready, other.group('news').ready])
  return [one, other, member]
}

const names: ClientName[] = ['redis', 'ioredis']

describe.each(names)('with %s', requires('redis-server'), (client) => {
  test('reports what a disconnected subscriber missed in one gap, with its number', async () => {
    const server = await RedisServer.start()
    const [one, other, member] = await pair(server.path, client)
    await one.publish('news', 'first')
    await until(() => member.delivered.length === 1)
    const gaps: unknown[] = []
    other.on('gap', (gap) => gaps.push(gap))
    const admin = await createClient({ socket: { path: server.path, tls: false } }).connect()
    onTestFinished(() => admin.destroy())
    // Nobody comes back until the messages are lost.
    await admin.sendCommand(['CONFIG', 'SET', 'maxclients', '1'])
    await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
    await until(() => !isConnected(one) && !isConnected(other))
    await Promise.all(Array.from({ length: 5 }, (_, index) => one.publish('news', `lost ${index}`)))
    await admin.sendCommand(['CONFIG', 'SET', 'maxclients', '1000'])
    await until(() => gaps.length > 0)
    expect(gaps).toEqual([{ cause: 'connection', groups: ['news'], node: undefined, missed: 5 }])
    await one.publish('news', 'last')
    await until(() => member.delivered.length === 2)
    expect(member.delivered).toEqual(['first', 'last'])
    expect(gaps).toHaveLength(1)
  })

  test('forgets a hub that publishes until it is closed', async () => {
    const server = await RedisServer.start()
    const [one, other, member] = await pair(server.path, client)
    const over = new AbortController()
    const publishing = (async () => {
      const results: boolean[] = []
      while (!over.signal.aborted) {
        void one.publish('news', 'more').then(({ relayed }) => results.push(relayed))
        await turn()
      }
      return results
    })()
    await until(() => member.delivered.length > 0)
    await one.close()
    over.abort()
    const results = await publishing
    // It has published everything in front of this.
    await other.nodes()
    expect(other.stats().relay?.nodes).toBe(0)
    expect(await other.group('news').count()).toMatchObject({ total: 1, missing: [] })
    // What Redis had not answered by then may have arrived.
    expect(member.delivered.length).toBeGreaterThanOrEqual(results.filter(Boolean).length)
  })

  test('limits publishes with relayed: false while the broker is stalled, and delivers what was sent', async () => {
    const server = await RedisServer.start()
    const [one, other, member] = await pair(server.path, client)
    const gaps: Gap[] = []
    other.on('gap', (gap) => gaps.push(gap))
    await server.pause()
    const results: boolean[] = []
    for (let count = 0; count < 1100; count++) {
      void one.publish('news', String(count)).then(({ relayed }) => results.push(relayed))
      await turn()
    }
    // The rest waits for the broker: as much as may be unanswered, in which heartbeats are counted too.
    await until(() => results.length >= 1100 - 1024)
    expect(results.every((relayed) => !relayed)).toBe(true)
    server.resume()
    await until(() => results.length === 1100)
    const sent = results.filter((relayed) => relayed).length
    expect(sent).toBeGreaterThan(1020)
    expect(sent).toBeLessThanOrEqual(1024)
    await until(() => missedIn(gaps) === 1100 - sent)
    for (const gap of gaps) expect(gap).toMatchObject({ cause: 'queue', groups: ['news'] })
    expect(member.delivered).toEqual(Array.from({ length: sent }, (_, index) => String(index)))
  })

  test('replaces a publisher that gets no replies while its socket stays open', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const port = await freePort()
    const server = await RedisServer.start('--port', String(port), '--bind', '127.0.0.1')
    const other = hubAt(server.path, client)
    await other.ready
    const lasting = await connectionsOf(server)
    const forwarder = await startForwarder(port)
    const through = {
      redis: () => createClient({ socket: { port: forwarder.port, host: '127.0.0.1' } }),
      ioredis: () => new Redis({ port: forwarder.port, host: '127.0.0.1', lazyConnect: true }),
    }
    const one = new Hub({ relay: redisRelay(through[client](), { prefix: 'chat:' }) })
    onTestFinished(() => one.close())
    await one.ready
    // The publisher connects first.
    forwarder.cut(0)
    let result: unknown
    void one.publish('news', 'lost').then((relayed) => (result = relayed))
    for (let pings = 0; pings < 4; pings++) {
      expect(result).toBeUndefined()
      vi.advanceTimersByTime(5000)
      await Promise.all([other.publish('news', 'answered'), settled()])
    }
    await until(() => result !== undefined)
    expect(result).toMatchObject({ relayed: false })
    while (!(await one.publish('news', 'goes out')).relayed) await turn()
    // The other one was answered each time.
    expect(await connectionsOf(server)).toEqual(expect.arrayContaining(lasting))
  })

  test('pings its subscriber if there are so few heartbeats that it could count as dead', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const server = await RedisServer.start()
    const hub = hubAt(server.path, client, { heartbeatInterval: 60_000 })
    await hub.ready
    const isPinged = async (): Promise<boolean> =>
      /flags=P.* cmd=ping/.test((await server.command('CLIENT', 'LIST')) as string)
    expect(await isPinged()).toBe(false)
    vi.advanceTimersByTime(5000)
    while (!(await isPinged())) await turn()
    expect(isConnected(hub)).toBe(true)
  })

  test('keeps ready pending until the broker starts, and rejects it on close()', async () => {
    const server = await RedisServer.start()
    await server.kill()
    const hub = hubAt(server.path, client)
    let isReady = false
    void hub.ready.then(() => (isReady = true))
    expect(await hub.publish('news', 'alone')).toEqual({ delivered: 0, skipped: 0, relayed: false })
    await server.restart()
    await until(() => isReady)
    await hub.close()
    expect(await hub.publish('news', 'closed')).toMatchObject({ relayed: false })
    const unreachable = hubAt('/nonexistent/redis.sock', client)
    const { ready } = unreachable
    await unreachable.close()
    await expect(ready).rejects.toThrow('The hub was closed')
  })

  test('rejects ready with a remedy if the password is wrong', async () => {
    const { path } = await RedisServer.start('--requirepass', 'secret')
    await expect(hubAt(path, client).ready).rejects.toThrow(/Redis refuses the relay.*password/)
  })

  test('does not count as connected while Redis refuses to restore its subscriptions', async () => {
    const server = await RedisServer.start()
    const [one, other, member] = await pair(server.path, client)
    const gaps: Gap[] = []
    other.on('gap', (gap) => gaps.push(gap))
    const admin = createClient({
      socket: { path: server.path, tls: false },
      username: 'admin',
      password: 'secret',
    })
    await server.command('ACL', 'SETUSER', 'admin', 'on', '>secret', '~*', '&*', '+@all')
    await admin.connect()
    onTestFinished(() => admin.destroy())
    const allow = (...channels: string[]): Promise<unknown> =>
      admin.sendCommand(['ACL', 'SETUSER', 'default', 'resetchannels', ...channels])
    // Redis ends the connections that have subscribed to what is not allowed any more.
    await allow('&chat:nodes', '&chat:node:*', '&chat:probe:*')
    let refusals: unknown[]
    do refusals = await admin.sendCommand(['ACL', 'LOG'])
    while (refusals.length === 0)
    await one.publish('news', 'lost')
    await allow('&chat:*')
    await until(() => isConnected(one) && isConnected(other))
    await one.publish('news', 'last')
    await until(() => member.delivered.includes('last') && gaps.length > 0)
    expect(gaps).toMatchObject([{ cause: 'connection', groups: ['news'] }])
  })

  test('counts and refuses garbage on every channel without crashing', async () => {
    const server = await RedisServer.start()
    const [one, other, member] = await pair(server.path, client)
    const channels = (await server.command('PUBSUB', 'CHANNELS', 'chat:*')) as string[]
    expect(channels).toContain('chat:group:news')
    const magic = Buffer.from('hw')
    const garbage = [
      Buffer.alloc(0),
      Buffer.from('text'),
      Buffer.concat([magic, Buffer.from([2, 1]), Buffer.alloc(60)]),
      ...Array.from({ length: 12 }, (_, kind) =>
        Buffer.concat([magic, Buffer.from([1, kind]), Buffer.alloc(40, 0xff)]),
      ),
      ...Array.from({ length: 12 }, (_, kind) =>
        Buffer.concat([magic, Buffer.from([1, kind]), Buffer.alloc(12, 7)]),
      ),
    ]
    for (const channel of channels)
      for (const bytes of garbage) await server.command('PUBLISH', channel, bytes)
    await one.publish('news', 'still there')
    await until(() => member.delivered.includes('still there'))
    expect(member.delivered).toEqual(['still there'])
    expect(other.stats().relay!.refused).toBeGreaterThan(garbage.length)
    expect(await one.group('news').count()).toMatchObject({ total: 1 })
  })

  test('delivers text that another program publishes, with plain: true', async () => {
    const server = await RedisServer.start()
    const hub = hubAt(server.path, client, { plain: true, maxPayload: 100 })
    const member = new FakeMember()
    hub.group('news').add(member)
    await Promise.all([hub.ready, hub.group('news').ready])
    for (const payload of [Buffer.from([0xff]), Buffer.alloc(101, 'a'), Buffer.from('héllo')]) {
      await server.command('PUBLISH', 'chat:plain:news', payload)
    }
    await until(() => member.delivered.length > 0)
    expect(member.delivered).toEqual(['héllo'])
    expect(hub.stats().relay).toMatchObject({ received: 1, refused: 2 })
    await expect(hub.publish('news', 'a'.repeat(101))).rejects.toThrow(/maxPayload/)
  })
})

const noClients: unknown[] = [null, {}, 'redis://localhost', { duplicate: String }]

test.each(noClients)('redisRelay() refuses %o', (client) => {
  expect(() => redisRelay(client as never)).toThrow(TypeError)
})
