import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect, Hub, type WebSocket } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { brokers, redisCluster } from '../support/brokers.js'
import { turn, until } from '../support/event-loop.js'
import { requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'

/** Clients of each of the three processes that stay in two groups, and those that move from group to group. */
const STAYING = 80
const MOVING = 20
const GROUPS = 200
const MESSAGES = runs(2000)
const BATCH = 200
/** Messages that a client gets in a group before it moves to the next. */
const STAY = 3

const nameOf = (number: number): string => `group ${number % GROUPS}`

/** One of the processes, test/relay/server.js, which lasts as long as the test. */
class Server {
  readonly #process: ChildProcess

  /** @param broker - what test/relay/relay-of.js takes */
  constructor(broker: string) {
    this.#process = fork(fileURLToPath(new URL('server.js', import.meta.url)), [broker])
    onTestFinished(() => void this.#process.kill('SIGKILL'))
  }

  async message<Message>(): Promise<Message> {
    const [message] = (await once(this.#process, 'message')) as [Message]
    return message
  }

  async gaps(): Promise<unknown[]> {
    const answer = this.message<{ gaps: unknown[] }>()
    this.#process.send('gaps')
    return (await answer).gaps
  }

  async end(): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.send('end')
    expect(await exit).toEqual([0, null])
  }
}

/** The messages of each group in the order in which they were published. */
class Published {
  readonly #texts = new Map<string, string[]>()
  #count = 0

  of(group: string): string[] {
    let texts = this.#texts.get(group)
    if (texts === undefined) this.#texts.set(group, (texts = []))
    return texts
  }

  next(): [group: string, text: string] {
    const group = nameOf(13 * this.#count)
    const text = JSON.stringify({ group, number: this.#count++ })
    this.of(group).push(text)
    return [group, text]
  }
}

/** What a client got while it was in a group. */
interface Stay {
  readonly group: string
  readonly texts: string[]
  /** How much had been published to the group when it was told that it is in. */
  readonly since: number
}

/** A client, and what it got. */
class Client {
  readonly stays: Stay[] = []
  /** The answers that it waits for. */
  waiting = 0
  readonly #socket: WebSocket
  readonly #published: Published
  readonly #current = new Map<string, Stay>()
  /** Counts its moves; `undefined` when it stays. */
  #place: number | undefined

  constructor(socket: WebSocket, published: Published, place?: number) {
    this.#socket = socket
    this.#published = published
    this.#place = place
    onTestFinished(() => {
      socket.terminate()
    })
    socket.on('message', (data) => this.#take(data as string))
  }

  /** Leaves a group and joins another; with neither it is answered behind all that was sent before. */
  ask(command: { leave?: string; join?: string }): void {
    this.waiting += command.join === undefined ? 1 : 2
    this.#socket.send(JSON.stringify(command))
  }

  #take(text: string): void {
    const { left, joined, group } = JSON.parse(text) as { left?: string; joined?: string; group?: string }
    if (group === undefined) {
      this.waiting--
      if (left !== undefined) this.#current.delete(left)
      if (joined !== undefined) this.#enter(joined)
      return
    }
    // What came before it was told that it is in belongs to the stay too.
    const stay = this.#current.get(group) ?? this.#enter(group)
    stay.texts.push(text)
    if (this.#place === undefined || stay.texts.length !== STAY) return
    this.#place += 61
    this.ask({ leave: group, join: nameOf(this.#place) })
  }

  #enter(group: string): Stay {
    const before = this.#current.get(group)
    const stay = { group, texts: before?.texts ?? [], since: this.#published.of(group).length }
    if (before !== undefined) this.stays.splice(this.stays.indexOf(before), 1)
    this.#current.set(group, stay)
    this.stays.push(stay)
    return stay
  }
}

async function clientsOf(
  server: Server,
  published: Published,
): Promise<[staying: Client[], moving: Client[]]> {
  const { port } = await server.message<{ port: number }>()
  const open = async (place?: number): Promise<Client> =>
    new Client(await connect(`ws://127.0.0.1:${port}/`), published, place)
  const staying = await Promise.all(Array.from({ length: STAYING }, () => open()))
  const moving = await Promise.all(Array.from({ length: MOVING }, (_, index) => open(index)))
  for (const [index, client] of staying.entries()) {
    client.ask({ join: nameOf(index) })
    client.ask({ join: nameOf(7 * index + 1) })
  }
  for (const [index, client] of moving.entries()) client.ask({ join: nameOf(index) })
  await until(() => [...staying, ...moving].every(({ waiting }) => waiting === 0))
  return [staying, moving]
}

for (const { title, requirement, start } of [...brokers, redisCluster]) {
  describe(`three processes on ${title}`, () => {
    test(
      'deliver each message exactly once and in order to 300 clients, some of which change groups',
      { timeout: runs(60_000), ...requires(requirement) },
      async () => {
        const broker = await start()
        const servers = [1, 2, 3].map(() => new Server(broker.name))
        const published = new Published()
        const clients = await Promise.all(servers.map((server) => clientsOf(server, published)))
        const hub = new Hub({ relay: await broker.relay({ prefix: 'hubwire:' }) })
        onTestFinished(() => hub.close())
        await hub.ready
        for (let count = 0; count < MESSAGES; count += BATCH) {
          const results = Array.from({ length: BATCH }, () => hub.publish(...published.next()))
          expect((await Promise.all(results)).every(({ relayed }) => relayed)).toBe(true)
        }
        const staying = clients.flatMap(([one]) => one)
        const moving = clients.flatMap(([, one]) => one)
        const isComplete = ({ stays }: Client): boolean =>
          stays.every(({ group, texts }) => texts.length >= published.of(group).length)
        await until(() => staying.every(isComplete))
        // Behind everything that is on its way: until nobody moves any more, and once more.
        for (let moves = -1; moves !== movesOf(moving);) {
          moves = movesOf(moving)
          for (const client of [...staying, ...moving]) client.ask({})
          await until(() => [...staying, ...moving].every(({ waiting }) => waiting === 0))
          await turn()
        }

        for (const server of servers) expect(await server.gaps()).toEqual([])
        for (const { stays } of staying) {
          expect(stays).toHaveLength(2)
          for (const { group, texts } of stays) expect(texts).toEqual(published.of(group))
        }
        for (const { stays } of moving) {
          for (const { group, texts, since } of stays) {
            const all = published.of(group)
            const from = texts.length === 0 ? all.length : all.indexOf(texts[0]!)
            expect(texts).toEqual(all.slice(from, from + texts.length))
            // It misses nothing of what is published from the time on at which it was told that it is in.
            if (texts.length > 0) expect(from).toBeLessThanOrEqual(since)
          }
        }
        expect(movesOf(moving)).toBeGreaterThanOrEqual(2 * moving.length)
        await Promise.all(servers.map((server) => server.end()))
      },
    )
  })
}

function movesOf(clients: readonly Client[]): number {
  return clients.reduce((sum, { stays }) => sum + stays.length, 0)
}
