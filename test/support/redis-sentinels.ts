import { freePort } from './free-port.js'
import { eventually } from './redis-cluster.js'
import { RedisServer } from './redis-server.js'

/** The name of the master among the sentinels. */
export const MASTER_NAME = 'mymaster'

/** A Redis with a replica and a sentinel on 127.0.0.1, which last as long as the test. */
export class RedisSentinels {
  readonly ports: readonly number[]
  readonly sentinelPort: number
  readonly servers: readonly RedisServer[]
  readonly #sentinel: RedisServer

  private constructor(
    ports: readonly number[],
    servers: readonly RedisServer[],
    sentinelPort: number,
    sentinel: RedisServer,
  ) {
    this.ports = ports
    this.servers = servers
    this.sentinelPort = sentinelPort
    this.#sentinel = sentinel
  }

  static async start(): Promise<RedisSentinels> {
    const [first, second, sentinelPort] = [await freePort(), await freePort(), await freePort()]
    const common = ['--bind', '127.0.0.1', '--repl-diskless-sync-delay', '0']
    const master = await RedisServer.start('--port', String(first), ...common)
    const replica = await RedisServer.start(
      ...['--port', String(second), '--replicaof', `127.0.0.1 ${first}`, ...common],
    )
    await eventually(async () =>
      String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
    )
    const sentinel = await RedisServer.configured(
      (path) =>
        [
          `port ${sentinelPort}`,
          'bind 127.0.0.1',
          `unixsocket ${path}`,
          `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${first} 1`,
          `sentinel down-after-milliseconds ${MASTER_NAME} 300`,
          `sentinel failover-timeout ${MASTER_NAME} 2000`,
        ].join('\n'),
      '--sentinel',
    )
    const set = new RedisSentinels([first, second], [master, replica], sentinelPort, sentinel)
    await eventually(async () => ((await set.ask('replicas')) as unknown[]).length === 1)
    return set
  }

  /** Asks the sentinel. */
  async ask(command: string): Promise<unknown> {
    return await this.#sentinel.command('SENTINEL', command, MASTER_NAME)
  }

  /** Starts a server that was killed as the replica of the other, which the sentinel would make it after 10 s. */
  async restart(index: number): Promise<void> {
    await this.servers[index]!.restart('--replicaof', `127.0.0.1 ${this.ports[1 - index]}`)
  }

  /** Has the sentinel make this server the master, as soon as it can. */
  async failover(index: number): Promise<void> {
    await eventually(async () => {
      try {
        return (await this.ask('failover')) === 'OK'
      } catch {
        // NOGOODSLAVE or INPROG: the replica is not known yet.
        return false
      }
    })
    await this.promoted(index)
  }

  /** Waits until the sentinel has made this server the master, and told of it. */
  async promoted(index: number): Promise<void> {
    await eventually(async () => {
      const { port, flags } = (await this.ask('master')) as { port: string; flags: string }
      return port === String(this.ports[index]) && flags === 'master'
    })
    await eventually(async () => ((await this.servers[index]!.command('ROLE')) as unknown[])[0] === 'master')
  }
}
