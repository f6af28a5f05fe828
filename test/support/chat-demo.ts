import { fileURLToPath } from 'node:url'
import { Program } from './program.js'

/** The demo as `npm start` runs it: built, in a separate process. */
export class ChatDemo {
  readonly program: Program
  readonly host: string

  private constructor(program: Program, host: string) {
    this.program = program
    this.host = host
  }

  static async start(port = 0, environment: Readonly<Record<string, string>> = {}): Promise<ChatDemo> {
    const script = fileURLToPath(new URL('../../examples/chat/server.js', import.meta.url))
    const address = { HOST: '127.0.0.1', PORT: String(port) }
    const program = new Program(process.execPath, [script], { ...address, ...environment })
    const [host] = await program.line(/(?<=http:\/\/)[\d.:]+/)
    return new ChatDemo(program, host)
  }

  get port(): number {
    return Number(this.host.split(':')[1])
  }

  http(path: string): string {
    return `http://${this.host}${path}`
  }

  ws(path: string): string {
    return `ws://${this.host}${path}`
  }
}
