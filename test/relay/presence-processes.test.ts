import { type ChildProcess, fork } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Hub, type JsonValue, type MembersResult, type Relay, type RelayOptions } from 'hubwire'
import { clusterRelay } from 'hubwire/cluster'
import { natsRelay } from 'hubwire/nats'
import { redisRelay } from 'hubwire/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { NatsServer } from '../support/nats-server.js'
import { PresenceLog } from '../support/presence-log.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'

const program = fileURLToPath(new URL('presence-worker.js', import.meta.url))
const options: RelayOptions = { heartbeatInterval: 100, recoveryTimeout: 60_000 }

/** A process with members in `news`, which lasts as long as the test. */
class Worker {
  readonly #process: ChildProcess

  private constructor(child: ChildProcess) {
    this.#process = child
    onTestFinished(() => this.kill())
  }

  /** @param broker - what test/relay/relay-of.js takes */
  static async start(broker: string, name: string, members: number): Promise<Worker> {
    const args = [broker, name, String(members)]
    cluster.setupPrimary({ exec: program, args })
    const worker = new Worker(broker === 'cluster' ? cluster.fork().process : fork(program, args))
    await worker.#answer()
    return worker
  }

  async ask(command: string, value?: unknown): Promise<unknown> {
    const answer = this.#answer()
    this.#process.send({ command, value })
    return (await answer).result
  }

  async list(): Promise<JsonValue[]> {
    const { members } = (await this.ask('list')) as MembersResult
    return members.map(({ data }) => data).sort()
  }

  /** Waits until exactly these are present in its view. */
  async until(...data: JsonValue[]): Promise<void> {
    const expected = JSON.stringify(data.toSorted())
    while (JSON.stringify(await this.list()) !== expected) await turn()
  }

  async end(): Promise<void> {
    const exit = once(this.#process, 'exit')
    await this.ask('end')
    await exit
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(name)
  }

  async #answer(): Promise<{ result?: unknown }> {
    const exit = new AbortController()
    const end = (): void => exit.abort(new Error('The process has ended'))
    this.#process.once('exit', end)
    const [answer] = (await once(this.#process, 'message', { signal: exit.signal })) as [{ result?: unknown }]
    this.#process.off('exit', end)
    return answer
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }
}

interface Broker {
  /** What test/relay/relay-of.js takes. */
  readonly name: string
  readonly relay: () => Promise<Relay>
  /** The server; the primary of a cluster cannot be restarted. */
  readonly server?: { kill: () => Promise<void>; restart: () => Promise<void> }
}

async function redis(connect: (path: string) => Relay): Promise<Broker> {
  const server = await RedisServer.start()
  return { name: server.path, relay: () => Promise.resolve(connect(server.path)), server }
}

const byRedis = (): Promise<Broker> =>
  redis((path) => redisRelay(createClient({ socket: { path, tls: false } }), options))

const byIoredis = (): Promise<Broker> =>
  redis((path) => redisRelay(new Redis({ path, lazyConnect: true }), options))

async function byNats(): Promise<Broker> {
  const server = await NatsServer.start()
  return {
    name: `nats:${server.port}`,
    relay: async () => natsRelay(await server.connect(), options),
    server,
  }
}

/** The primary is the broker, before its first worker is started. */
function byCluster(): Promise<Broker> {
  const relay = clusterRelay(options)
  return Promise.resolve({ name: 'cluster', relay: () => Promise.resolve(relay) })
}

async function hubOf({ relay }: Broker): Promise<{ hub: Hub; log: PresenceLog }> {
  const hub = new Hub({ relay: await relay() })
  onTestFinished(() => hub.close())
  const log = new PresenceLog(hub)
  hub.group('news').add(new FakeMember(), { presence: 'here' })
  await Promise.all([hub.ready, hub.group('news').ready])
  return { hub, log }
}

const names = (worker: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${worker} ${index}`)

const isConnected = (hub: Hub): boolean => hub.stats().relay?.connected === true

describe.each([
  ['redis', byRedis, requires('redis-server')],
  ['ioredis', byIoredis, requires('redis-server')],
  ['NATS', byNats, requires('nats-server')],
  ['node:cluster', byCluster, {}],
] as const)('presence through %s', (_, start, requirement) => {
  const settings = { timeout: 60_000, ...requirement }

  test('is the same in three processes, and the members of a killed process leave', settings, async () => {
    const broker = await start()
    const one = await Worker.start(broker.name, 'one', 3)
    const { hub, log } = await hubOf(broker)
    const other = await Worker.start(broker.name, 'other', 2)
    const all = ['here', ...names('one', 3), ...names('other', 2)]
    await log.until('news', ...all)
    await Promise.all([one.until(...all), other.until(...all)])
    expect((await hub.group('news').members()).missing).toEqual([])

    await other.ask('add', { name: 'more', tags: [1, null] })
    await other.ask('close', 1)
    const changed = ['here', ...names('one', 3), 'other 1', { name: 'more', tags: [1, null] }]
    await log.until('news', ...changed)
    await one.until(...changed)

    await one.kill()
    const left = ['here', 'other 1', { name: 'more', tags: [1, null] }]
    await log.until('news', ...left)
    await other.until(...left)
    const gone = log.events.flatMap((event) => event.left.map(({ data }) => data))
    expect(gone).toEqual(expect.arrayContaining(names('one', 3)))
    expect(log.strangers).toEqual([])

    await other.end()
    await log.until('news', 'here')
    expect(hub.stats().relay!.refused).toBe(0)
  })

  test('is restored when a suspended process resumes', settings, async () => {
    const broker = await start()
    const { log } = await hubOf(broker)
    const worker = await Worker.start(broker.name, 'stopped', 2)
    await log.until('news', 'here', ...names('stopped', 2))
    worker.signal('SIGSTOP')
    await log.until('news', 'here')
    worker.signal('SIGCONT')
    await log.until('news', 'here', ...names('stopped', 2))
    await worker.until('here', ...names('stopped', 2))
    expect(log.strangers).toEqual([])
  })

  test('handles 1,000 members of a process that join and leave', settings, async () => {
    const broker = await start()
    const { hub, log } = await hubOf(broker)
    const worker = await Worker.start(broker.name, 'many', 1000)
    await until(() => log.in('news').length === 1001)
    expect((await hub.group('news').members()).members).toHaveLength(1001)
    await worker.ask('close', 999)
    await log.until('news', 'here', 'many 999')
    expect(log.strangers).toEqual([])
  })
})

describe.each([
  ['redis', byRedis, requires('redis-server')],
  ['ioredis', byIoredis, requires('redis-server')],
  ['NATS', byNats, requires('nats-server')],
] as const)('presence through %s', (_, start, requirement) => {
  const settings = { timeout: 60_000, ...requirement }

  test(
    'is exact again after the broker was killed and restarted, with changes in the meantime',
    settings,
    async () => {
      const broker = await start()
      const { hub, log } = await hubOf(broker)
      const one = await Worker.start(broker.name, 'one', 3)
      const killed = await Worker.start(broker.name, 'killed', 2)
      const all = ['here', ...names('one', 3), ...names('killed', 2)]
      await log.until('news', ...all)
      await one.until(...all)

      await broker.server!.kill()
      await until(() => !isConnected(hub))
      // What was known last stays, and nobody can be asked.
      const { members, missing } = await hub.group('news').members()
      expect([members.length, missing.length]).toEqual([6, 2])
      await killed.kill()
      await one.ask('close', 1)
      await one.ask('add', 'new there')
      hub.group('news').add(new FakeMember(), { presence: 'new here' })
      await log.until('news', ...all, 'new here')

      await broker.server!.restart()
      const now = ['here', 'one 1', 'one 2', 'new there', 'new here']
      await log.until('news', ...now)
      await one.until(...now)
      expect(log.strangers).toEqual([])
    },
  )
})
