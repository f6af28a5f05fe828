import { expect, test } from 'vitest'
import type { RedisConnectionEvents, Server, ServerConnection } from '#src/relay/redis/connection.js'
import { plainNames } from '#src/relay/redis/channel-names.js'
import { FollowingConnection } from '#src/relay/redis/following-connection.js'
import { SharedConnections } from '#src/relay/redis/shared-connections.js'
import { type Lookup, Topology } from '#src/relay/redis/topology.js'
import { settled, until } from '../support/event-loop.js'

const ignore = (): void => undefined

/** A connection that is ready when the test says so, and answers every command. */
class FakeConnection implements ServerConnection {
  events: RedisConnectionEvents | undefined
  isClosed = false
  readonly commands: string[] = []

  open(events: RedisConnectionEvents): void {
    this.events = events
  }

  evaluate(): Promise<unknown> {
    return Promise.resolve([])
  }

  publish(channel: string): Promise<number> {
    return this.#done(`publish ${channel}`)
  }

  publishSharded(channel: string): Promise<number> {
    return this.#done(`spublish ${channel}`)
  }

  subscribe(channels: readonly string[]): Promise<number> {
    return this.#done(`subscribe ${channels.join()}`)
  }

  subscribeSharded(channels: readonly string[]): Promise<number> {
    return this.#done(`ssubscribe ${channels.join()}`)
  }

  unsubscribe(channels: readonly string[]): Promise<number> {
    return this.#done(`unsubscribe ${channels.join()}`)
  }

  unsubscribeSharded(channels: readonly string[]): Promise<number> {
    return this.#done(`sunsubscribe ${channels.join()}`)
  }

  ping(): Promise<number> {
    return this.#done('ping')
  }

  close(): void {
    this.isClosed = true
  }

  #done(command: string): Promise<number> {
    this.commands.push(command)
    return Promise.resolve(1)
  }
}

/** A server, and the connections that were made to it. */
class FakeServer implements Server {
  readonly host = 'here'
  readonly port: number
  readonly connections: FakeConnection[] = []

  constructor(port: number) {
    this.port = port
  }

  connect(): FakeConnection {
    const connection = new FakeConnection()
    this.connections.push(connection)
    return connection
  }
}

/** Lookups that find one server, and how they ended. */
class FakeLookups {
  readonly made: { known: number[]; isClosed: boolean; onMoved: () => void }[] = []
  server = new FakeServer(1)
  connect = (): Promise<unknown> => Promise.resolve()
  readonly #canWatch: boolean

  constructor(canWatch = false) {
    this.#canWatch = canWatch
  }

  readonly start = (known: readonly { port: number }[]): Lookup => {
    const made = { known: known.map(({ port }) => port), isClosed: false, onMoved: ignore }
    this.made.push(made)
    return {
      connect: () => this.connect(),
      serverOf: () => Promise.resolve(this.server),
      ...(this.#canWatch && {
        watch: (onMoved: () => void) => {
          made.onMoved = onMoved
        },
      }),
      close: () => {
        made.isClosed = true
      },
    }
  }
}

test('a topology shares one lookup among concurrent requests, and the next lookup also asks known servers', async () => {
  const lookups = new FakeLookups()
  const topology = new Topology(lookups.start)
  const servers = await Promise.all([1, 2, 3].map((slot) => topology.serverOf(slot, ignore)))
  expect(servers.map(({ port }) => port)).toEqual([1, 1, 1])
  expect(lookups.made).toMatchObject([{ known: [], isClosed: true }])
  await topology.serverOf(1, ignore)
  expect(lookups.made).toMatchObject([{ isClosed: true }, { known: [1, 1, 1], isClosed: true }])
})

test('a topology abandons a lookup that hangs, and starts another one for the next request', async () => {
  const lookups = new FakeLookups()
  const topology = new Topology(lookups.start)
  lookups.connect = () => new Promise(ignore)
  await expect(topology.serverOf(0, ignore)).rejects.toThrow(/did not report the master/)
  lookups.connect = () => Promise.resolve()
  expect(await topology.serverOf(0, ignore)).toBe(lookups.server)
  expect(lookups.made).toMatchObject([{ isClosed: true }, { isClosed: true }])
})

test('a topology without users ends its lookups', async () => {
  const lookups = new FakeLookups()
  const topology = new Topology(lookups.start)
  const user = { moved: ignore }
  topology.use(user)
  await topology.serverOf(0, ignore)
  // This one has to wait, and is ended before it connects.
  void topology.serverOf(0, ignore).catch(ignore)
  let connects = 0
  lookups.connect = () => {
    connects++
    return Promise.resolve()
  }
  topology.leave(user)
  expect(lookups.made).toMatchObject([{ isClosed: true }, { isClosed: true }])
  await topology.serverOf(0, ignore)
  expect(connects).toBe(1)
})

test('connections move when an open lookup reports another master', async () => {
  const lookups = new FakeLookups(true)
  const topology = new Topology(lookups.start)
  const options = { topology, names: plainNames, siblings: new Set<FollowingConnection>() }
  const connection = new FollowingConnection({
    ...options,
    connections: new SharedConnections(),
    role: 'subscriber',
  })
  const states: boolean[] = []
  connection.open({ ready: (isReady) => states.push(isReady), message: ignore, error: ignore })
  const first = lookups.server
  await until(() => first.connections.length === 1)
  first.connections[0]!.events!.ready(true)
  await until(() => states.length === 1)
  await connection.subscribe(['news', 'chat'])
  await connection.unsubscribe(['chat'])
  lookups.server = new FakeServer(2)
  lookups.made[0]!.onMoved()
  expect(states).toEqual([true, false])
  expect(first.connections[0]!.isClosed).toBe(true)
  await expect(connection.publish('news', Buffer.alloc(0))).rejects.toThrow(
    'The connection to Redis is not open',
  )
  await until(() => lookups.server.connections.length === 1)
  const [second] = lookups.server.connections
  second!.events!.ready(true)
  await until(() => states.length === 3)
  expect(second!.commands).toEqual(['subscribe news'])
  await settled()
  // The first lookup has been replaced by the one that found the new master.
  expect(lookups.made).toMatchObject([{ isClosed: true }, { isClosed: false }])
  connection.close()
  connection.close()
  expect(lookups.made).toMatchObject([{ isClosed: true }, { isClosed: true }])
})

test('a connection that does not reply is closed for all of its users', async () => {
  const lookups = new FakeLookups()
  const topology = new Topology(lookups.start)
  const connections = new SharedConnections()
  const [one, other] = [1, 2].map(() => {
    const siblings = new Set<FollowingConnection>()
    return new FollowingConnection({ topology, connections, names: plainNames, siblings, role: 'publisher' })
  }) as [FollowingConnection, FollowingConnection]
  const states: boolean[] = []
  one.open({ ready: ignore, message: ignore, error: ignore })
  other.open({ ready: (isReady) => states.push(isReady), message: ignore, error: ignore })
  const { server } = lookups
  await until(() => server.connections.length === 1)
  await settled()
  server.connections[0]!.events!.ready(true)
  await until(() => states.length === 1)
  await other.ping()
  one.close(true)
  expect(server.connections[0]!.isClosed).toBe(true)
  expect(states).toEqual([true, false])
  await until(() => server.connections.length === 2)
  server.connections[1]!.events!.ready(true)
  // One that comes later shares it, though it is ready already.
  const late: boolean[] = []
  const siblings = new Set<FollowingConnection>()
  const third = new FollowingConnection({
    topology,
    connections,
    names: plainNames,
    siblings,
    role: 'publisher',
  })
  third.open({ ready: (isReady) => late.push(isReady), message: ignore, error: ignore })
  await until(() => late.length === 1)
  expect(server.connections).toHaveLength(2)
  other.close()
  expect(server.connections[1]!.isClosed).toBe(false)
  third.close()
  expect(server.connections[1]!.isClosed).toBe(true)
})
