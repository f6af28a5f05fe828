import { ReconnectingWebSocket, type Status } from 'hubwire/browser'
import { WebSocket } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../support/event-loop.js'
import { Example } from '../support/example.js'
import { Program } from '../support/program.js'
import { Queue } from '../support/queue.js'

/** A client that connects again by itself, and the processes that have served it, in order. */
class Client {
  /** Who is here, by the last list that it got. */
  here = ''
  readonly workers = new Queue<number>()
  readonly echoes = new Queue<string>()
  readonly states: Status[] = []
  readonly #socket: ReconnectingWebSocket

  constructor(url: string) {
    const delay = { min: 0, first: 20, max: 20 }
    this.#socket = new ReconnectingWebSocket(url, { WebSocket, delay, log: false })
    this.#socket.addEventListener('state', ({ target }) => {
      this.states.push((target as ReconnectingWebSocket).status)
    })
    this.#socket.addEventListener('message', ({ data }) => {
      const [, pid] = /^worker (\d+)$/.exec(String(data)) ?? []
      const [, names] = /^here: (.*)$/.exec(String(data)) ?? []
      if (names !== undefined) this.here = names
      else if (pid === undefined) this.echoes.push(String(data))
      else this.workers.push(Number(pid))
    })
    onTestFinished(() => {
      this.#socket.close()
    })
  }

  /** The next worker that is none of these. */
  async servedByOther(than: readonly number[]): Promise<number> {
    for (;;) {
      const worker = await this.workers.next()
      if (!than.includes(worker)) return worker
    }
  }

  close(): void {
    this.#socket.close()
  }

  /** Does not connect again when it loses its connection. */
  stay(): void {
    this.#socket.addEventListener('state', ({ state }) => {
      if (state !== 'open') this.close()
    })
  }

  async echo(text: string): Promise<string> {
    expect(this.#socket.send(text)).toBe('sent')
    return this.echoes.next()
  }
}

/** As many clients, one after the other, with the workers that serve them. */
async function connectTo(
  example: Example,
  count: number,
  names: readonly string[] = [],
): Promise<{ clients: Client[]; workers: number[] }> {
  const clients: Client[] = []
  const workers: number[] = []
  while (clients.length < count) {
    const client = new Client(`ws://127.0.0.1:${example.port}/?name=${names[clients.length] ?? ''}`)
    clients.push(client)
    workers.push(await client.workers.next())
  }
  return { clients, workers }
}

test('serves all clients while its workers are replaced one after the other (N14)', async () => {
  const example = await Example.forTest('cluster')
  const { clients, workers } = await connectTo(example, 6)
  const old = [...new Set(workers)]
  expect(old.map((pid) => workers.filter((worker) => worker === pid).length)).toEqual([3, 3])

  example.program.signal('SIGHUP')
  const now = await Promise.all(clients.map((client) => client.servedByOther(old)))
  await example.program.line(/^All workers have been replaced$/)
  // Neither new worker is empty, since each was ready before an old one stopped.
  expect(new Set(now).size).toBe(2)
  expect(await Promise.all(clients.map((client) => client.echo('hello')))).toEqual(clients.map(() => 'hello'))
  // Each connection that ended was closed by its worker, and each attempt to connect again succeeded.
  const waits = clients.flatMap(({ states }) => states.filter((status) => status.state === 'waiting'))
  expect(waits.length).toBeGreaterThanOrEqual(6)
  expect(new Set(waits.map(({ code, reason }) => `${code} ${reason}`))).toEqual(new Set(['1001 closed']))
})

test('relays what a client says to the clients of both workers', async () => {
  const example = await Example.forTest('cluster')
  const { clients, workers } = await connectTo(example, 4)
  expect(new Set(workers).size).toBe(2)
  for (const [index, client] of clients.entries()) {
    const text = `from ${index}`
    expect(await client.echo(text)).toBe(text)
    for (const other of clients) if (other !== client) expect(await other.echoes.next()).toBe(text)
  }
})

test('tells the clients of all workers who is here, without those of a killed one', async () => {
  const example = await Example.forTest('cluster')
  const { clients, workers } = await connectTo(example, 4, ['Ada', 'Ben', 'Cyd', 'Dan'])
  await until(() => clients.every(({ here }) => here === 'Ada, Ben, Cyd, Dan'))
  clients[3]!.close()
  await until(() => clients.slice(0, 3).every(({ here }) => here === 'Ada, Ben, Cyd'))
  // Whoever cannot connect again is gone with its worker.
  const killed = clients.filter((_, index) => workers[index] === workers[0])
  const others = clients.slice(0, 3).filter((client) => !killed.includes(client))
  expect(others.length).toBeGreaterThan(0)
  for (const client of killed) client.stay()
  process.kill(workers[0]!, 'SIGKILL')
  const names = ['Ada', 'Ben', 'Cyd'].filter((_, index) => workers[index] !== workers[0])
  await until(() => others.every(({ here }) => here === names.join(', ')))
})

test('restarts twice if it is asked twice', async () => {
  const example = await Example.forTest('cluster')
  const { clients, workers } = await connectTo(example, 2)
  example.program.signal('SIGHUP')
  await Promise.all(clients.map((client) => client.servedByOther(workers)))
  await example.program.line(/^All workers have been replaced$/)
  // One client of each: a client of the first that stops may be served by the other, until that stops too.
  const { workers: second } = await connectTo(example, 2)
  example.program.signal('SIGHUP')
  const third = await clients[0]!.servedByOther([...workers, ...second])
  expect(await clients[0]!.echo(`hello ${third}`)).toBe(`hello ${third}`)
})

test('replaces a killed worker while the other one serves', async () => {
  const example = await Example.forTest('cluster')
  const { clients, workers } = await connectTo(example, 2)
  process.kill(workers[0]!, 'SIGKILL')
  await example.program.line(new RegExp(`^The worker ${workers[0]!} has died$`))
  expect(await clients[1]!.echo('still there?')).toBe('still there?')
  expect(await clients[0]!.workers.next()).not.toBe(workers[0])
  // The new one takes its share, as soon as it listens.
  for (;;) {
    const { workers: next } = await connectTo(example, 2)
    if (next.some((worker) => !workers.includes(worker))) break
  }
})

test('exits with an error if its workers cannot listen', async () => {
  const example = await Example.forTest('cluster')
  const environment = { PORT: String(example.port), HOST: '127.0.0.1' }
  const script = new URL('../../examples/cluster/server.js', import.meta.url).pathname
  const second = new Program(process.execPath, [script], environment)
  onTestFinished(async () => {
    await second.stop('SIGKILL')
  })
  await second.line(/EADDRINUSE/)
  expect((await second.exit).code).not.toBe(0)
  const { clients } = await connectTo(example, 1)
  expect(await clients[0]!.echo('still there?')).toBe('still there?')
})

test('closes its clients with 1001 on SIGTERM, and exits with all processes', async () => {
  const example = await Example.forTest('cluster')
  const clients = [await example.connect('/'), await example.connect('/')]
  const pids = await Promise.all(
    clients.map(async ({ received }) => {
      for (;;) {
        const pid = /(?<=^worker )\d+/.exec((await received.next()) as string)
        if (pid !== null) return pid
      }
    }),
  )
  await example.expectToStop(...clients)
  for (const [pid] of pids) expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH')
})
