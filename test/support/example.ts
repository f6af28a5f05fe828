import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { connect, type WebSocket, type WebSocketOptions } from 'hubwire'
import { closeOf, type Closed } from './close-of.js'
import { inbox, type Data } from './inbox.js'
import { Program } from './program.js'
import type { Queue } from './queue.js'

/** A client of an example, with the messages that it receives, in order, and its close. */
export interface ExampleClient {
  readonly socket: WebSocket
  readonly received: Queue<Data>
  readonly closed: Promise<Closed>
}

/** The server of an example, as a reader would start it: the built package, in a separate process, on a free port. */
export class Example {
  readonly program: Program
  readonly port: number

  private constructor(program: Program, port: number) {
    this.program = program
    this.port = port
  }

  /** @param name - the folder in examples/ */
  static async start(name: string, environment: Readonly<Record<string, string>> = {}): Promise<Example> {
    const script = fileURLToPath(new URL(`../../examples/${name}/server.js`, import.meta.url))
    const program = new Program(process.execPath, [script], { HOST: '127.0.0.1', PORT: '0', ...environment })
    const [port] = await program.line(/(?<=http:\/\/127\.0\.0\.1:)\d+/)
    return new Example(program, Number(port))
  }

  /** Starts a server that runs until the test ends. */
  static async forTest(name: string, environment?: Readonly<Record<string, string>>): Promise<Example> {
    const example = await Example.start(name, environment)
    onTestFinished(async () => {
      await example.program.stop('SIGKILL')
    })
    return example
  }

  http(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`
  }

  /** Opens a connection, or rejects with the cause. */
  async connect(
    path: string,
    options: WebSocketOptions = {},
    protocols: string[] = [],
  ): Promise<ExampleClient> {
    const socket = await connect(`ws://127.0.0.1:${this.port}${path}`, protocols, options)
    return { socket, received: inbox(socket), closed: closeOf(socket) }
  }

  /** Stops it with SIGTERM, and expects that it closes these clients and exits. */
  async expectToStop(...clients: ExampleClient[]): Promise<void> {
    const exit = this.program.stop('SIGTERM')
    for (const { closed } of clients) {
      expect(await closed).toMatchObject({ code: 1001, reason: 'The server stops', wasClean: true })
    }
    expect(await exit).toEqual({ code: 0, signal: null })
  }
}
