import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Hub, type HistoryPosition, WebSocket } from 'hubwire'
import { ReconnectingWebSocket } from 'hubwire/browser'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { turn, until } from '../support/event-loop.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'

const CLIENTS = 30
const DISCONNECTIONS = runs(200)
/** Workers that are replaced meanwhile: all three, twice, one in three by SIGKILL. */
const REPLACEMENTS = 6

const history = {
  size: 100_000,
  ttl: 3_600_000,
  encode: (text: string | Buffer, position: HistoryPosition): string => JSON.stringify({ text, position }),
}

/** A worker, test/relay/history-worker.js, which lasts as long as the test. */
class Worker {
  port = 0
  readonly #process: ChildProcess

  private constructor(path: string) {
    this.#process = fork(fileURLToPath(new URL('history-worker.js', import.meta.url)), [path])
    onTestFinished(() => void this.#process.kill('SIGKILL'))
  }

  static async start(path: string): Promise<Worker> {
    const worker = new Worker(path)
    const [{ port }] = (await once(worker.#process, 'message')) as [{ port: number }]
    worker.port = port
    return worker
  }

  /** Stops it as a deploy does. Returns how many gaps it told. */
  async stop(): Promise<number> {
    const answer = once(this.#process, 'message') as Promise<[{ gaps: number }]>
    const exit = once(this.#process, 'exit')
    this.#process.send('stop')
    const [{ gaps }] = await answer
    expect(await exit).toEqual([0, null])
    return gaps
  }

  async kill(): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }
}

/** A page that connects to any worker, again and again, and what it got. */
class Page {
  readonly texts: string[] = []
  readonly recoveries: boolean[] = []
  /** How much had been published when it had joined for the first time. */
  since: number | undefined
  readonly socket: ReconnectingWebSocket<HistoryPosition>
  /** The connection that it has, or is making. */
  #current: WebSocket | undefined

  constructor(workers: readonly Worker[], published: readonly string[]) {
    const page = this
    class Connection extends WebSocket {
      constructor(url: string, protocols: string | string[]) {
        super(url, protocols)
        page.#current = this
      }
    }
    const any = (): Worker => workers[Math.floor(Math.random() * workers.length)]!
    this.socket = new ReconnectingWebSocket<HistoryPosition>(
      ({ position }) => {
        const since = encodeURIComponent(JSON.stringify(position ?? null))
        return `ws://127.0.0.1:${any().port}/?since=${since}`
      },
      {
        WebSocket: Connection,
        delay: { min: 0, first: 10, max: 20 },
        log: false,
        position: (data) => (JSON.parse(String(data)) as { position?: HistoryPosition }).position,
        isRecovered: (data) => (JSON.parse(String(data)) as { recovered?: boolean }).recovered,
      },
    )
    this.socket.addEventListener('recovery', ({ recovered }) => this.recoveries.push(recovered))
    this.socket.addEventListener('message', ({ data }) => {
      const { text } = JSON.parse(String(data)) as { text?: string }
      if (text !== undefined) this.texts.push(text)
      else this.since ??= published.length
    })
    onTestFinished(() => {
      this.socket.close()
    })
  }

  /** Loses its connection in one of the ways in which that happens, whatever its state. */
  disconnect(): void {
    if (Math.random() < 0.5) this.#current?.terminate()
    else this.socket.reconnect()
  }
}

test(
  `${DISCONNECTIONS} random disconnections during a rolling deploy cost no message, and no message comes twice`,
  { timeout: runs(60_000), ...requires('redis-server') },
  async () => {
    const { path } = await RedisServer.start()
    const hub = new Hub({ relay: redisRelay(createClient({ socket: { path, tls: false } })) })
    onTestFinished(() => hub.close())
    const news = hub.group('news', { history })
    const workers = await Promise.all([1, 2, 3].map(() => Worker.start(path)))
    await hub.ready
    const published: string[] = []
    const pages = Array.from({ length: CLIENTS }, () => new Page(workers, published))
    await until(() => pages.every(({ since }) => since !== undefined))

    let gaps = 0
    const end = new AbortController()
    const publishing = (async () => {
      while (!end.signal.aborted) {
        const batch = Array.from({ length: 1 + Math.floor(3 * Math.random()) }, (_, index) =>
          String(published.length + index),
        )
        published.push(...batch)
        const results = await Promise.all(batch.map((text) => news.publish(text)))
        expect(results.every(({ relayed }) => relayed)).toBe(true)
        await turn()
      }
    })()
    const deploy = async (number: number): Promise<void> => {
      const place = number % workers.length
      const old = workers[place]!
      workers[place] = await Worker.start(path)
      if (number % 3 === 2) await old.kill()
      else gaps += await old.stop()
    }
    let deployed = Promise.resolve()
    for (let count = 0; count < DISCONNECTIONS; count++) {
      if (count % Math.ceil(DISCONNECTIONS / REPLACEMENTS) === 0) {
        const number = (count * REPLACEMENTS) / DISCONNECTIONS
        deployed = deployed.then(() => deploy(Math.round(number)))
      }
      pages[Math.floor(Math.random() * pages.length)]!.disconnect()
      const before = published.length
      await until(() => published.length > before)
    }
    await deployed
    end.abort()
    await publishing
    await until(() => pages.every(({ texts }) => texts.at(-1) === published.at(-1)))
    for (const worker of workers) gaps += await worker.stop()

    for (const { texts, since, recoveries } of pages) {
      expect(published.indexOf(texts[0]!)).toBeLessThanOrEqual(since!)
      expect(texts).toEqual(published.slice(Number(texts[0])))
      expect(recoveries.filter((recovered) => !recovered)).toEqual([])
    }
    expect(pages.reduce((sum, { recoveries }) => sum + recoveries.length, 0)).toBeGreaterThan(
      DISCONNECTIONS / 4,
    )
    expect(gaps).toBe(0)
  },
)
