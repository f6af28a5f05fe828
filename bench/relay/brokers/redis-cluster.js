import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createClient } from 'redis'
import { Child } from '../../load/child.js'

const SERVERS = 3
const SLOTS = 16_384

/** A Redis Cluster of three masters, which hold whatever a subscriber has not read. */
export class RedisCluster {
  #folder = mkdtempSync(join(tmpdir(), 'hubwire-bench-'))
  #children
  /** What its clients need in their environment. @type {Record<string, string>} */
  environment = {}

  /** @param {number[]} ports two for each server */
  constructor(ports) {
    this.ports = ports.slice(0, SERVERS)
    this.address = this.ports.join()
    this.#children = this.ports.map(
      (port, index) =>
        new Child([
          ...[
            'redis-server',
            '--port',
            String(port),
            '--bind',
            '127.0.0.1',
            '--save',
            '',
            '--appendonly',
            'no',
          ],
          ...['--cluster-enabled', 'yes', '--cluster-port', String(ports[SERVERS + index])],
          ...['--cluster-config-file', join(this.#folder, `${index}.conf`), '--dir', this.#folder],
          ...['--client-output-buffer-limit', 'pubsub', '0', '0', '0', '--daemonize', 'no'],
        ]),
    )
  }

  static async start() {
    const servers = Array.from({ length: 2 * SERVERS }, () => createServer().listen(0, '127.0.0.1'))
    await Promise.all(servers.map((server) => once(server, 'listening')))
    const ports = servers.map(
      (server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port,
    )
    for (const server of servers) server.close()
    await Promise.all(servers.map((server) => once(server, 'close')))
    const cluster = new RedisCluster(ports)
    for (const child of cluster.#children)
      while (!(await child.line()).includes('eady to accept connections'));
    for (const [index, port] of cluster.ports.entries()) {
      const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / SERVERS))
      await command(port, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String((to ?? SLOTS) - 1))
      await command(port, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
      const bus = String(ports[SERVERS + index])
      if (index > 0) await command(ports[0] ?? 0, 'CLUSTER', 'MEET', '127.0.0.1', String(port), bus)
    }
    for (const port of cluster.ports) {
      const isReady = async () => {
        const info = /** @type {string} */ (/** @type {unknown} */ (await command(port, 'CLUSTER', 'INFO')))
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${SERVERS}`)
      }
      while (!(await isReady())) await setTimeout(20)
    }
    return cluster
  }

  /** Its processes: all of them are the broker. */
  get pids() {
    return this.#children.map(({ pid }) => pid)
  }

  /** A path for a worker's socket. @param {number} index */
  socket(index) {
    return join(this.#folder, `${index}.sock`)
  }

  async end() {
    for (const { pid } of this.#children) process.kill(pid)
    await Promise.all(this.#children.map((child) => child.end()))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/**
 * @param {number} port
 * @param {string[]} words
 */
async function command(port, ...words) {
  const client = await createClient({ socket: { host: '127.0.0.1', port } }).connect()
  try {
    return await client.sendCommand(words)
  } finally {
    client.destroy()
  }
}
