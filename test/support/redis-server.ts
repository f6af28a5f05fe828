import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { createClient } from 'redis'
import { onTestFinished } from 'vitest'
import { programPath } from './requirements.js'
import { stopProcess } from './stop-process.js'
import { type OnEnd, temporaryFolder } from './temporary-folder.js'

/** A Redis of its own on a unix socket, which lasts as long as the test, or until its process is ended. */
export class RedisServer {
  /** The path of its unix socket, the same after a restart. */
  readonly path: string
  #arguments: readonly string[] = []
  #process: ChildProcess | undefined

  private constructor(onEnd: OnEnd = onTestFinished) {
    this.path = join(temporaryFolder(onEnd), 'redis.sock')
    onEnd(() => this.kill())
  }

  /** @param settings - more of its settings, such as `--requirepass`, `secret` */
  static async start(...settings: string[]): Promise<RedisServer> {
    return await RedisServer.startUntil(onTestFinished, ...settings)
  }

  /** Starts one that lasts longer than a test, until what it registers with `onEnd` is called. */
  static async startUntil(onEnd: OnEnd, ...settings: string[]): Promise<RedisServer> {
    const server = new RedisServer(onEnd)
    server.#arguments = [
      ...[
        '--port',
        '0',
        '--unixsocket',
        server.path,
        '--save',
        '',
        '--appendonly',
        'no',
        '--daemonize',
        'no',
        '--dir',
        dirname(server.path),
      ],
      ...settings,
    ]
    await server.restart()
    return server
  }

  /**
   * @param configuration - the text of its redis.conf, for the path of its unix socket
   * @param settings - more of its command line
   */
  static async configured(
    configuration: (path: string) => string,
    ...settings: string[]
  ): Promise<RedisServer> {
    const server = new RedisServer()
    const file = join(dirname(server.path), 'redis.conf')
    writeFileSync(file, configuration(server.path))
    server.#arguments = [file, ...settings]
    await server.restart()
    return server
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /** Starts it when it does not run. @param settings - more settings, this time */
  async restart(...settings: string[]): Promise<void> {
    // It ends with the process that runs the tests, whatever becomes of that.
    const wrapped = ['--pdeathsig', 'KILL', programPath('redis-server'), ...this.#arguments, ...settings]
    const child = spawn('setpriv', wrapped, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line)
      if (!/eady to accept connections|Sentinel ID is/.test(line)) continue
      child.stdout.resume()
      return
    }
    throw new Error(`Redis did not start:\n${lines.join('\n')}`)
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

  /** Gives a command by a connection of its own. */
  async command(...words: (string | Buffer)[]): Promise<unknown> {
    const client = createClient({ socket: { path: this.path, tls: false, reconnectStrategy: false } })
    client.on('error', () => {})
    await client.connect()
    try {
      return await client.sendCommand(words)
    } finally {
      client.destroy()
    }
  }
}
