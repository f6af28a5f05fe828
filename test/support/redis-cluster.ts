import { setTimeout } from 'node:timers/promises'
import { freePort } from './free-port.js'
import { RedisServer } from './redis-server.js'
import type { OnEnd } from './temporary-folder.js'

const SLOTS = 16_384
const MASTERS = 3

/** One server of a cluster. */
export interface ClusterNode {
  readonly port: number
  readonly id: string
  readonly server: RedisServer
}

/**
 * A Redis Cluster of three masters on 127.0.0.1, the first of which has a replica. It takes more than 2 s to start: that
 * is what Redis gives its servers to find each other.
 */
export class RedisCluster {
  readonly nodes: readonly ClusterNode[]

  private constructor(nodes: readonly ClusterNode[]) {
    this.nodes = nodes
  }

  static async start(onEnd: OnEnd): Promise<RedisCluster> {
    const nodes = await Promise.all(Array.from({ length: MASTERS + 1 }, () => startNode(onEnd)))
    const buses = nodes.map(({ bus }) => bus)
    const cluster = new RedisCluster(nodes)
    for (const [index, { server }] of cluster.masters.entries()) {
      const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / MASTERS))
      await server.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to! - 1))
      await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
    }
    for (const [index, { port }] of nodes.entries()) {
      if (index > 0)
        await cluster.command(0, 'CLUSTER', 'MEET', '127.0.0.1', String(port), String(buses[index]))
    }
    await cluster.settled()
    await cluster.command(MASTERS, 'CLUSTER', 'REPLICATE', nodes[0]!.id)
    await cluster.replicated()
    return cluster
  }

  /** The servers that were made masters. */
  get masters(): readonly ClusterNode[] {
    return this.nodes.slice(0, MASTERS)
  }

  get ports(): number[] {
    return this.nodes.map(({ port }) => port)
  }

  async command(node: number, ...words: string[]): Promise<unknown> {
    return await this.nodes[node]!.server.command(...words)
  }

  /** Waits until those that run know all of each other, and all slots have a server. */
  async settled(): Promise<void> {
    await eventually(async () => {
      const infos = await Promise.all(
        this.nodes
          .filter(({ server }) => server.isRunning)
          .map(({ server }) => server.command('CLUSTER', 'INFO')),
      )
      return infos.every(
        (info) =>
          String(info).includes('cluster_state:ok') &&
          String(info).includes(`cluster_known_nodes:${this.nodes.length}\r`),
      )
    })
  }

  /** The index of the server that is the master of the first slots, and of its replica. */
  async firstShard(): Promise<[master: number, replica: number]> {
    const [role] = (await this.command(0, 'ROLE')) as unknown[]
    return role === 'master' ? [0, MASTERS] : [MASTERS, 0]
  }

  /** Waits until the replica has everything that its master has. */
  async replicated(): Promise<void> {
    await eventually(async () => {
      const [, replica] = await this.firstShard()
      return String(await this.command(replica, 'INFO', 'replication')).includes('master_link_status:up')
    })
  }

  /** Waits until a server is a master. */
  async promoted(node: number): Promise<void> {
    await eventually(async () => ((await this.command(node, 'ROLE')) as unknown[])[0] === 'master')
  }

  /** Gives a slot, which has no keys, to another master. */
  async move(slot: number, from: number, to: number): Promise<void> {
    const { id } = this.nodes[to]!
    await this.command(to, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', this.nodes[from]!.id)
    await this.command(from, 'CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', id)
    for (const node of [to, from]) await this.command(node, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', id)
  }
}

async function startNode(onEnd: OnEnd): Promise<ClusterNode & { bus: number }> {
  const [port, bus] = [await freePort(), await freePort()]
  const server = await RedisServer.startUntil(
    onEnd,
    ...['--port', String(port), '--bind', '127.0.0.1'],
    ...['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', '500'],
    ...['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'],
  )
  return { port, bus, server, id: String(await server.command('CLUSTER', 'MYID')) }
}

/** Asks again and again until it is so. Servers tell nobody of what becomes of them. */
export async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await setTimeout(20)
}
