import { once } from 'node:events'
import { join } from 'node:path'
import { type ReconnectingOptions, ReconnectingWebSocket, type Status } from 'hubwire/browser'
import { WebSocket } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../support/free-port.js'
import type { Program } from '../support/program.js'
import { Queue } from '../support/queue.js'
import { requires } from '../support/requirements.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { startNginx } from './nginx.js'
import { startWorker } from './worker.js'

/** A client for pages that connects again by itself. It ends with the test. */
class Client {
  /** The processes that have served it, in order. */
  readonly workers = new Queue<number>()
  /** What it waited for and how long, before each attempt to connect again. */
  readonly waits: (Status & { state: 'waiting' })[] = []
  readonly socket: ReconnectingWebSocket

  constructor(url: string, options: ReconnectingOptions = {}) {
    this.socket = new ReconnectingWebSocket(url, { WebSocket, log: false, ...options })
    this.socket.addEventListener('state', () => {
      const { status } = this.socket
      if (status.state === 'waiting') this.waits.push(status)
    })
    this.socket.addEventListener('message', ({ data }) => {
      this.workers.push((JSON.parse(String(data)) as { pid: number }).pid)
    })
    onTestFinished(() => {
      this.socket.close()
    })
  }
}

/** So short that a test need not wait. */
const QUICK: ReconnectingOptions = { delay: { min: 0, first: 20, max: 40 } }

describe('a rolling deploy behind nginx', requires('nginx'), () => {
  /** Three workers behind nginx, and clients whose connections are counted. */
  class Site {
    readonly paths: readonly string[]
    readonly url: string
    readonly workers: Program[]
    readonly #clients: Client[] = []
    /** The process that serves each client. */
    readonly #servedBy = new Map<Client, number>()

    private constructor(paths: readonly string[], url: string, workers: Program[]) {
      this.paths = paths
      this.url = url
      this.workers = workers
    }

    static async start(): Promise<Site> {
      const folder = temporaryFolder()
      const paths = [1, 2, 3].map((number) => join(folder, `${number}.sock`))
      const workers = await Promise.all(paths.map((path) => startWorker(path)))
      const instead = paths.map((path, index) => [
        `server unix:/run/hubwire/${index + 1}.sock max_fails=0;`,
        `server unix:${path} max_fails=0;`,
      ])
      const nginx = await startNginx(
        'three-workers.conf',
        Object.fromEntries(instead) as Record<string, string>,
      )
      onTestFinished(() => nginx.stop())
      return new Site(paths, `ws://${nginx.host}`, workers)
    }

    /** One client after the other, so that nginx knows of each before the next comes. */
    async connect(count: number): Promise<void> {
      for (let index = 0; index < count; index++) {
        const client = new Client(this.url, QUICK)
        this.#clients.push(client)
        this.#servedBy.set(client, await client.workers.next())
      }
    }

    /** Stops a worker, and returns when its clients have found others. */
    async stop(worker: Program): Promise<void> {
      const moving = this.#clients.filter((client) => this.#servedBy.get(client) === worker.pid)
      const moved = moving.map(async (client) => {
        this.#servedBy.set(client, await client.workers.next())
      })
      expect(await worker.stop()).toEqual({ code: 0, signal: null })
      await Promise.all(moved)
    }

    /** How many connections each worker has. */
    counts(): number[] {
      return this.workers.map(
        ({ pid }) => this.#clients.filter((client) => this.#servedBy.get(client) === pid).length,
      )
    }
  }

  test('leaves the last restarted worker empty if each stops before its successor starts (N14)', async () => {
    const site = await Site.start()
    await site.connect(12)
    expect(site.counts()).toEqual([4, 4, 4])
    for (const [index, path] of site.paths.entries()) {
      await site.stop(site.workers[index]!)
      site.workers[index] = await startWorker(path)
    }
    const [first, second, last] = site.counts() as [number, number, number]
    expect([first + second, last]).toEqual([12, 0])
    // New connections fill it, because nginx sends them to the worker with the fewest.
    await site.connect(3)
    expect(site.counts()).toEqual([first, second, 3])
  })

  test('leaves no worker empty if its successor takes over before it stops (N14)', async () => {
    const site = await Site.start()
    await site.connect(12)
    for (const [index, path] of site.paths.entries()) {
      const old = site.workers[index]!
      site.workers[index] = await startWorker(path, true)
      await site.stop(old)
    }
    const counts = site.counts()
    expect(counts.reduce((sum, count) => sum + count)).toBe(12)
    expect(Math.min(...counts)).toBeGreaterThan(0)
  })
})

test('keeps some clients connected after the first one is closed, with `spread` (N14)', async () => {
  const path = join(temporaryFolder(), 'worker.sock')
  const worker = await startWorker(path)
  const clients = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const client = new WebSocket(`ws+unix:${path}`)
      await once(client, 'message')
      return client
    }),
  )
  const stopped = worker.stop()
  const left = await Promise.any(
    clients.map(async (client) => {
      await once(client, 'close')
      return clients.filter(({ readyState }) => readyState === WebSocket.OPEN)
    }),
  )
  expect(left.length).toBeGreaterThan(0)
  expect(await stopped).toEqual({ code: 0, signal: null })
})

test('makes the clients of a killed worker reconnect after different delays (N14)', async () => {
  const port = String(await freePort())
  const worker = await startWorker(port)
  const clients = Array.from({ length: 10 }, () => new Client(`ws://127.0.0.1:${port}`))
  await Promise.all(clients.map(({ workers }) => workers.next()))
  await worker.stop('SIGKILL')
  const next = await startWorker(port)
  const served = await Promise.all(clients.map(({ workers }) => workers.next()))
  expect(new Set(served)).toEqual(new Set([next.pid]))
  const delays = clients.map(({ waits }) => waits[0]!.delay)
  expect(delays.filter((delay) => delay < 250 || delay > 2000)).toEqual([])
  expect(new Set(delays).size).toBeGreaterThan(5)
})
