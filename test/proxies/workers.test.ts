import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, type WebSocket } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox, take, type Data } from '../support/inbox.js'
import { Program } from '../support/program.js'
import type { Queue } from '../support/queue.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { exampleFile } from './example-file.js'
import { startNginx } from './nginx.js'

const script = (name: string): string =>
  fileURLToPath(new URL(`../../examples/workers/${name}`, import.meta.url))

interface Client {
  readonly socket: WebSocket
  /** The path of its worker. */
  readonly worker: string
  readonly messages: Queue<Data>
}

/** Three workers of examples/workers behind nginx, and the Redis that they share. */
class Site {
  readonly redis: RedisServer
  readonly paths: readonly string[]
  readonly #url: string
  readonly #workers: Program[]

  private constructor(redis: RedisServer, url: string, paths: readonly string[], workers: Program[]) {
    this.redis = redis
    this.paths = paths
    this.#url = url
    this.#workers = workers
  }

  static async start(): Promise<Site> {
    const redis = await RedisServer.configured((path) =>
      exampleFile('workers/redis.conf', { 'unixsocket /run/redis/hubwire.sock': `unixsocket ${path}` }),
    )
    const folder = temporaryFolder()
    const paths = [1, 2, 3].map((number) => join(folder, `${number}.sock`))
    const workers = await Promise.all(paths.map((path) => startWorker(redis, path)))
    const instead = paths.map((path, index) => [
      `server unix:/run/hubwire/${index + 1}.sock max_fails=0;`,
      `server unix:${path} max_fails=0;`,
    ])
    const nginx = await startNginx(
      'three-workers.conf',
      Object.fromEntries(instead) as Record<string, string>,
    )
    onTestFinished(() => nginx.stop())
    return new Site(redis, `ws://${nginx.host}`, paths, workers)
  }

  /** Two clients of a topic at each worker, in the order of the workers. */
  async clients(topic: string): Promise<Client[]> {
    const clients: Client[] = []
    // One after the other, so that nginx knows of each before the next comes.
    while (clients.length < 2 * this.#workers.length) clients.push(await this.connect(topic))
    expect(clients.map(({ worker }) => worker).sort()).toEqual(this.paths.flatMap((path) => [path, path]))
    return clients.sort((one, other) => one.worker.localeCompare(other.worker))
  }

  async connect(topic: string): Promise<Client> {
    const socket = await connect(`${this.#url}/ws/${topic}/`)
    onTestFinished(() => {
      socket.terminate()
    })
    const messages = inbox(socket)
    const { worker } = JSON.parse((await messages.next()) as string) as { worker: string }
    return { socket, worker, messages }
  }

  /** Runs the command, and returns what it says. */
  async announce(topic: string, text: string): Promise<readonly string[]> {
    const args = [script('announce.js'), topic, text]
    const program = new Program(process.execPath, args, { REDIS_URL: `unix://${this.redis.path}` })
    expect(await program.exit).toEqual({ code: 0, signal: null })
    return program.lines
  }

  async stopWorker(index: number): Promise<void> {
    expect(await this.#workers[index]!.stop()).toEqual({ code: 0, signal: null })
  }

  async startWorker(index: number): Promise<void> {
    this.#workers[index] = await startWorker(this.redis, this.paths[index]!)
  }
}

async function startWorker({ path }: RedisServer, place: string): Promise<Program> {
  const program = new Program(process.execPath, [script('server.js'), place], { REDIS_URL: `unix://${path}` })
  onTestFinished(async () => {
    await program.stop('SIGKILL')
  })
  await program.line(/^The worker listens/)
  return program
}

/** The next messages of each client are these. */
async function expectAll(clients: readonly Client[], texts: readonly string[]): Promise<void> {
  for (const { messages } of clients) expect(await take(messages, texts.length)).toEqual(texts)
}

describe('three workers behind nginx', { timeout: 120_000, ...requires('nginx', 'redis-server') }, () => {
  test('share their groups: messages of a client or the command reach all clients of the topic once', async () => {
    const site = await Site.start()
    const news = await site.clients('news')
    const other = await site.clients('other')
    news[0]!.socket.send('from the first worker')
    await expectAll(news, ['from the first worker'])
    news[5]!.socket.send('from the third')
    await expectAll(news, ['from the third'])
    expect(await site.announce('news', 'from nowhere')).toEqual([
      'Sent; 3 workers have 6 clients of news, 0 did not answer',
    ])
    await expectAll(news, ['from nowhere'])
    expect(await site.announce('other', 'for the others')).toHaveLength(1)
    await expectAll(other, ['for the others'])
  })

  test('continue separately without Redis, and make their clients reload when it is back', async () => {
    const site = await Site.start()
    const clients = await site.clients('news')
    clients[0]!.socket.send('before')
    await expectAll(clients, ['before'])
    await site.redis.kill()
    clients[0]!.socket.send('meanwhile')
    await expectAll(clients.slice(0, 2), ['meanwhile'])
    await site.redis.restart()
    await expectAll(clients.slice(2), [JSON.stringify({ reload: 'connection' })])
    await site.announce('news', 'after')
    await expectAll(clients, ['after'])
  })

  test('are replaced one by one while the others serve', async () => {
    const site = await Site.start()
    const clients = await site.clients('news')
    const leaving = clients.slice(2, 4).map(({ socket }) => closeOf(socket))
    await site.stopWorker(1)
    expect(await Promise.all(leaving)).toMatchObject([{ code: 1001 }, { code: 1001 }])
    const staying = [...clients.slice(0, 2), ...clients.slice(4)]
    expect(await site.announce('news', 'two workers')).toEqual([
      'Sent; 2 workers have 4 clients of news, 0 did not answer',
    ])
    await expectAll(staying, ['two workers'])
    await site.startWorker(1)
    const back = await site.connect('news')
    expect(back.worker).toBe(site.paths[1])
    staying[0]!.socket.send('three again')
    await expectAll([...staying, back], ['three again'])
  })
})

test(
  'run with a Redis that accepts the limits of examples/workers/redis.conf',
  requires('redis-server'),
  async () => {
    const redis = await RedisServer.configured((path) =>
      exampleFile('workers/redis.conf', { 'unixsocket /run/redis/hubwire.sock': `unixsocket ${path}` }),
    )
    const name = 'client-output-buffer-limit'
    expect(await redis.command('CONFIG', 'GET', name)).toMatchObject({
      [name]: expect.stringContaining(`pubsub ${256 * 2 ** 20} ${128 * 2 ** 20} 30`) as string,
    })
    expect(await redis.command('CONFIG', 'GET', 'port', 'save')).toMatchObject({ port: '0', save: '' })
  },
)

describe('docs/scaling.md', () => {
  const document = readFileSync(new URL('../../docs/scaling.md', import.meta.url), 'utf8')
  const files: Readonly<Record<string, readonly string[]>> = {
    js: ['workers/server.js', 'workers/hub.js', 'workers/announce.js'],
    nginx: ['nginx/three-workers.conf'],
    redis: ['workers/redis.conf'],
  }

  test.each(Object.entries(files))('quotes each block of %s exactly from an example', (language, paths) => {
    const blocks = Array.from(
      document.matchAll(/^```(\w+)\n(.*?)^```$/gms),
      ([, name, text]) => [name, text!] as const,
    )
    const quoted = blocks.filter(([name]) => name === language).map(([, text]) => text)
    expect(quoted.length).toBeGreaterThan(0)
    expect(quoted.filter((text) => !paths.some((path) => exampleFile(path).includes(text)))).toEqual([])
  })

  test('explains each line of redis.conf', () => {
    const names = exampleFile('workers/redis.conf')
      .split('\n')
      .filter((line) => /^\w/.test(line))
      .map((line) => line.split(' ')[0]!)
    expect(names.length).toBeGreaterThan(5)
    expect(names.filter((name) => !document.includes(`| \`${name}`))).toEqual([])
  })
})
