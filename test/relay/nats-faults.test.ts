import { connect } from '@nats-io/transport-node'
import { Hub, type RelayOptions } from 'hubwire'
import { type NatsClient, natsRelay } from 'hubwire/nats'
import { describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { NatsServer } from '../support/nats-server.js'
import { RelayWorker } from '../support/relay-worker.js'
import { requires } from '../support/requirements.js'

async function hubAt(server: NatsServer, options: RelayOptions = {}): Promise<Hub> {
  const relay = natsRelay(await server.connect(), { prefix: 'chat.', heartbeatInterval: 50, ...options })
  const hub = new Hub({ relay })
  onTestFinished(() => hub.close())
  return hub
}

/** Two hubs, and a member of the second in the group `news`. */
async function pair(server: NatsServer): Promise<[Hub, Hub, FakeMember]> {
  const [one, other] = [await hubAt(server), await hubAt(server)]
  const member = new FakeMember()
  other.group('news').add(member)
  await Promise.all([one.ready, other.ready, other.group('news').ready])
  return [one, other, member]
}

describe('a relay through NATS', requires('nats-server'), () => {
  test('waits for a broker that is down when the hub is created', async () => {
    const server = await NatsServer.start()
    const connection = await server.connect()
    await server.kill()
    await until(() => connection.isClosed() || !isReachable(connection))
    const hub = new Hub({ relay: natsRelay(connection) })
    onTestFinished(() => hub.close())
    let isReady = false
    void hub.ready.then(() => (isReady = true))
    expect(await hub.publish('news', 'alone')).toEqual({ delivered: 0, skipped: 0, relayed: false })
    expect(isReady).toBe(false)
    await server.restart()
    await until(() => isReady)
  })

  test('rejects ready with a remedy if the user may not subscribe', async () => {
    const server = await NatsServer.start(`authorization {
      users = [{ user: a, password: b, permissions: { publish: ">", subscribe: "elsewhere.>" } }]
    }`)
    const connection = await server.connect({ user: 'a', pass: 'b' })
    const hub = new Hub({ relay: natsRelay(connection, { prefix: 'chat.' }) })
    onTestFinished(() => hub.close())
    await expect(hub.ready).rejects.toThrow(
      /NATS refuses the relay.*allow its user to publish and subscribe to chat\.>/,
    )
  })

  test('reports relayed: false if the user may not publish', async () => {
    const server = await NatsServer.start(`authorization {
      users = [{ user: a, password: b, permissions: { publish: "elsewhere.>", subscribe: ">" } }]
    }`)
    const connection = await server.connect({ user: 'a', pass: 'b' })
    const hub = new Hub({ relay: natsRelay(connection, { prefix: 'chat.' }) })
    onTestFinished(() => hub.close())
    await expect(hub.ready).rejects.toThrow(/NATS refuses the relay/)
    const results = await Promise.all(
      Array.from({ length: 3 }, (_, index) => hub.publish('news', String(index))),
    )
    expect(results.map(({ relayed }) => relayed)).toEqual([false, false, false])
  })

  test('rejects group.ready, again and again, for a group to which the user may not subscribe', async () => {
    const server = await NatsServer.start(`authorization {
      users = [{ user: a, password: b, permissions: { publish: ">", subscribe: { allow: ">", deny: "chat.group:secret" } } }]
    }`)
    const connection = await server.connect({ user: 'a', pass: 'b' })
    const hub = new Hub({ relay: natsRelay(connection, { prefix: 'chat.' }) })
    onTestFinished(() => hub.close())
    await hub.ready
    const group = hub.group('secret')
    group.add(new FakeMember())
    await expect(group.ready).rejects.toThrow(/NATS refuses the relay.*chat\.group:secret/)
    await expect(group.ready).rejects.toThrow(/NATS refuses the relay.*chat\.group:secret/)
    hub.group('news').add(new FakeMember())
    await hub.group('news').ready
    expect(await hub.publish('news', 'allowed')).toMatchObject({ relayed: true })
  })

  test('keeps maxPayload below max_payload of the server', async () => {
    const server = await NatsServer.start('max_payload: 8192')
    const [one, other, member] = await pair(server)
    const longest = 8192 - 1024
    await expect(one.publish('news', 'a'.repeat(longest + 1))).rejects.toThrow(/maxPayload/)
    expect(await one.publish('news', 'a'.repeat(longest))).toMatchObject({ relayed: true })
    await until(() => member.delivered.length === 1)
    expect(member.delivered[0]).toHaveLength(longest)
    expect(other.stats().relay).toMatchObject({ refused: 0 })
    const connection = await server.connect()
    expect(() => natsRelay(connection, { maxPayload: longest + 1 })).toThrow(
      /maxPayload is 7169, but the NATS server takes 7168/,
    )
  })

  test('delivers text that another program publishes on the subject of a group', async () => {
    const server = await NatsServer.start()
    const hub = await hubAt(server, { plain: true })
    const member = new FakeMember()
    hub.group('news').add(member)
    await Promise.all([hub.ready, hub.group('news').ready])
    const program = await server.connect()
    for (const bytes of [new Uint8Array([0xff]), new TextEncoder().encode('héllo')]) {
      program.publish('chat.plain:news', bytes)
    }
    await until(() => member.delivered.length > 0)
    expect(member.delivered).toEqual(['héllo'])
    expect(hub.stats().relay).toMatchObject({ received: 1, refused: 1 })
  })

  test('refuses a second hub on a connection with noEcho', async () => {
    const server = await NatsServer.start()
    const connection = await server.connect({ noEcho: true })
    const hub = new Hub({ relay: natsRelay(connection) })
    await hub.ready
    expect(() => new Hub({ relay: natsRelay(connection) })).toThrow(/noEcho serves one hub/)
    await hub.close()
    const next = new Hub({ relay: natsRelay(connection) })
    await next.ready
    await next.close()
  })

  test('refuses connections that would stop reconnecting, or that are closed', async () => {
    const server = await NatsServer.start()
    const finite = await server.connect({ maxReconnectAttempts: 10 })
    expect(() => natsRelay(finite)).toThrow(/connect with \{ maxReconnectAttempts: -1 \}/)
    const once = await server.connect({ reconnect: false })
    expect(() => natsRelay(once)).toThrow(/without \{ reconnect: false \}/)
    const closed = await connect({ servers: `127.0.0.1:${server.port}`, maxReconnectAttempts: -1 })
    await closed.close()
    expect(() => natsRelay(closed)).toThrow(/this one is closed/)
  })

  test(
    'reports a gap when a subscriber was too slow for the broker, and delivers nothing twice',
    { timeout: 120_000 },
    async () => {
      const server = await NatsServer.start('max_pending: 8MB\nwrite_deadline: "1s"')
      const worker = new RelayWorker(`nats:${server.port}`, { members: 1, groups: 1 })
      expect(await worker.message()).toEqual({ ready: true })
      const hub = new Hub({ relay: natsRelay(await server.connect(), { heartbeatInterval: 100 }) })
      onTestFinished(() => hub.close())
      await hub.ready
      await worker.block(2500)
      const text = 'a'.repeat(64 * 1024)
      for (let count = 0; count < 3000; count += 50) {
        await Promise.all(
          Array.from({ length: 50 }, (_, index) => hub.publish('group 0', `${count + index} ${text}`)),
        )
      }
      const { gaps, received } = await worker.report(2 * 3000)
      expect(gaps.length).toBeGreaterThan(0)
      for (const [, texts] of received[0]!) {
        const numbers = texts.map((one) => Number.parseInt(one, 10))
        expect(new Set(numbers).size).toBe(numbers.length)
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      }
      await worker.end()
    },
  )
})

/** Whether a connection has noticed that its server is there. */
function isReachable(connection: object): boolean {
  return (connection as { protocol?: { connected?: boolean } }).protocol?.connected === true
}

test.each([null, {}, 'nats://localhost', { publish: String }])('natsRelay() refuses %o', (connection) => {
  expect(() => natsRelay(connection as unknown as NatsClient)).toThrow(TypeError)
})

test.each(['a b', 'a.*.', '>', '.a', 'a..b', 'line\n'])(
  'natsRelay() refuses the prefix %j',
  requires('nats-server'),
  async (prefix) => {
    const connection = await (await NatsServer.start()).connect()
    expect(() => natsRelay(connection, { prefix })).toThrow(/prefix must be the beginning of a NATS subject/)
  },
)
