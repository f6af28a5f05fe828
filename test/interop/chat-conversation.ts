import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { Queue } from '../support/queue.js'

/** A chat of two processes that share a Redis, whatever it is written in. */
export interface Chat {
  /** The ports of the two. */
  readonly ports: readonly [number, number]
  /** Sends an announcement to a room from a third process. */
  announce(room: string, text: string): Promise<void>
}

/** What the clients of a chat have seen, in order. */
export type Seen = Readonly<Record<string, readonly unknown[]>>

/** One client: a connection, and all that it has seen. */
class Visitor {
  readonly seen: unknown[] = []
  readonly #events = new Queue<unknown>()
  readonly #socket: WebSocket

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('open', () => this.#events.push('open'))
    socket.on('message', (data: Buffer) => this.#events.push(JSON.parse(data.toString())))
    socket.on('pong', (data) => this.#events.push(`pong ${data.toString()}`))
    socket.on('close', (code) => this.#events.push(`close ${code}`))
    onTestFinished(() => {
      socket.terminate()
    })
  }

  /** Connects, and waits until it has been told that it has joined. */
  static async enter(port: number, room: string, token: string): Promise<Visitor> {
    const visitor = new Visitor(new WebSocket(...address(port, room, token)))
    await visitor.sees(2)
    return visitor
  }

  /** Waits until it has seen as much more. */
  async sees(count: number): Promise<void> {
    for (let index = 0; index < count; index++) this.seen.push(await this.#events.next())
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  ping(data: string): void {
    this.#socket.ping(data)
  }

  async leave(code: number): Promise<void> {
    this.#socket.close(code)
    await this.sees(1)
  }
}

function address(
  port: number,
  room: string,
  token: string,
  origin = `http://127.0.0.1:${port}`,
): [URL, { origin: string }] {
  return [new URL(`ws://127.0.0.1:${port}/ws/chat/${room}/?token=${token}`), { origin }]
}

/** Connects, and returns the status of the refusal. */
async function refusal(port: number, token: string, origin?: string): Promise<number | undefined> {
  return await statusOf(new WebSocket(...address(port, 'lobby', token, origin)))
}

async function statusOf(socket: WebSocket): Promise<number | undefined> {
  const [request, response] = (await once(socket, 'unexpected-response')) as [ClientRequest, IncomingMessage]
  request.destroy()
  return response.statusCode
}

/** The one script for both chats. `tokens` names users and has what is no token of one. */
export async function converse(
  { ports: [one, other], announce }: Chat,
  tokens: Readonly<Record<'ada' | 'bob' | 'carol' | 'expired' | 'forged', string>>,
): Promise<Seen> {
  const refused = [
    await refusal(one, ''),
    await refusal(one, tokens.expired),
    await refusal(other, tokens.forged),
    await refusal(other, tokens.ada, 'http://elsewhere.example'),
  ]

  const ada = await Visitor.enter(one, 'lobby', tokens.ada)
  const bob = await Visitor.enter(other, 'lobby', tokens.bob)
  await ada.sees(1)
  const carol = await Visitor.enter(other, 'garden', tokens.carol)

  // To all in the room, in both processes, and to nobody else.
  ada.send({ type: 'message', text: 'hello, wörld' })
  await Promise.all([ada.sees(1), bob.sees(1)])
  bob.send({ type: 'message', text: 'hello, ada' })
  await Promise.all([ada.sees(1), bob.sees(1)])
  carol.send({ type: 'message', text: 'is anybody here?' })
  await carol.sees(1)

  bob.send({ type: 'ping' })
  await bob.sees(1)
  carol.ping('still there?')
  await carol.sees(1)

  await announce('lobby', 'tea is served')
  await Promise.all([ada.sees(1), bob.sees(1)])
  await announce('garden', 'and cake')
  await carol.sees(1)

  await bob.leave(1000)
  await ada.sees(1)
  // What is no JSON ends its connection, and nobody else's.
  carol.send('no JSON')
  await carol.sees(1)
  ada.send({ type: 'message', text: 'still here' })
  await ada.sees(1)
  await ada.leave(1000)
  return { refused, ada: ada.seen, bob: bob.seen, carol: carol.seen }
}

/** What clients see where the two chats differ. */
export async function differ({ ports: [port] }: Chat, token: string): Promise<Record<string, unknown>> {
  // A room of its own: in the others, Channels may still be about to say who has left.
  const visitor = await Visitor.enter(port, 'attic', token)
  await visitor.leave(4000)
  return {
    'the answer to Close 4000': visitor.seen.at(-1),
    'a path that nobody serves': await answer(port, `/ws/nowhere/?token=${token}`),
    'a room with a space': await answer(port, `/ws/chat/a%20room/?token=${token}`),
    'a client without Origin': await answer(port, `/ws/chat/lobby/?token=${token}`, {}),
  }
}

/** Connects, and returns the status of a refusal, or `'open'`. */
async function answer(
  port: number,
  path: string,
  options: object = { origin: `http://127.0.0.1:${port}` },
): Promise<unknown> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options)
  const opened = once(socket, 'open').then(() => {
    socket.terminate()
    return 'open'
  })
  return await Promise.race([opened, statusOf(socket)])
}
