import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { freePort } from './free-port.js'
import { programPath } from './requirements.js'
import { stopProcess } from './stop-process.js'
import { temporaryFolder } from './temporary-folder.js'

/** A NATS server of its own on 127.0.0.1, which lasts as long as the test, or until its process is ended. */
export class NatsServer {
  readonly port: number
  readonly #configuration: string = join(temporaryFolder(), 'nats.conf')
  #process: ChildProcess | undefined

  private constructor(port: number, settings: string) {
    this.port = port
    writeFileSync(this.#configuration, `listen: "127.0.0.1:${port}"\n${settings}\n`)
  }

  /** @param settings - more of its configuration file */
  static async start(settings = ''): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), settings)
    onTestFinished(() => server.kill())
    await server.restart()
    return server
  }

  /** Starts it when it does not run. */
  async restart(): Promise<void> {
    // It ends with the process that runs the tests, whatever becomes of that.
    const wrapped = ['--pdeathsig', 'KILL', programPath('nats-server'), '--config', this.#configuration]
    const child = spawn('setpriv', wrapped, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = child
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stderr })) {
      lines.push(line)
      if (!line.includes('Server is ready')) continue
      child.stderr.resume()
      return
    }
    throw new Error(`NATS did not start:\n${lines.join('\n')}`)
  }

  /** Connects as a relay's user does; the connection is closed with the test. */
  async connect(options: NodeConnectionOptions = {}): Promise<NatsConnection> {
    const connection = await connect({
      servers: `127.0.0.1:${this.port}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 20,
      reconnectJitter: 20,
      timeout: 2000,
      ...options,
    })
    onTestFinished(() => connection.close())
    return connection
  }

  /** Ends it at once, with all it holds. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Stops it in the middle of whatever it does. Its connections stay. */
  async pause(): Promise<void> {
    if (this.#process?.pid !== undefined) await stopProcess(this.#process.pid)
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }
}
