import { WebSocket } from 'undici'
import { Queue } from '../support/queue.js'

/** An event of examples/chat: JSON with a type. */
export type ChatEvent = Readonly<Record<string, unknown>>

/** A member of a chat room, or a client of the echo, with the messages that it receives, in order. */
export class ChatClient {
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #socket: WebSocket
  readonly #received = new Queue<string | ArrayBuffer>()

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) => {
      this.#received.push(data)
    })
    this.closed = new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => {
        resolve({ code, reason })
      })
    })
  }

  /** Rejects when the server refuses. */
  static async open(url: string): Promise<ChatClient> {
    const socket = new WebSocket(url)
    const client = new ChatClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => {
        resolve()
      })
      socket.addEventListener('error', ({ message }) => {
        reject(new Error(message))
      })
    })
    return client
  }

  /** Sends a string as text, bytes as binary, anything else as JSON. */
  send(message: string | Uint8Array | object): void {
    const plain = typeof message === 'string' || message instanceof Uint8Array
    this.#socket.send(plain ? message : JSON.stringify(message))
  }

  nextMessage(): Promise<string | ArrayBuffer> {
    return this.#received.next()
  }

  async nextEvent(): Promise<ChatEvent> {
    return JSON.parse((await this.nextMessage()) as string) as ChatEvent
  }

  async close(): Promise<void> {
    this.#socket.close(1000)
    await this.closed
  }
}
