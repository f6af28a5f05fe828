import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Where a link leads. */
export type Target = { readonly port: number; readonly host: string } | { readonly path: string }

/** A link between a hub and its broker, which can be cut and stopped. Until it is closed, it accepts connections. */
export class FaultyLink {
  readonly #server: Server
  /** Both ends of each connection, in the order in which they were made. */
  readonly #connections = new Set<readonly [near: Socket, far: Socket]>()
  #isCut = false
  #isStopped = false

  private constructor(target: Target) {
    this.#server = createServer((near) => this.#connect(near, target))
  }

  /** @param path - the unix socket to listen on; a port of 127.0.0.1 by default */
  static async start(target: Target, path?: string): Promise<FaultyLink> {
    const link = new FaultyLink(target)
    if (path === undefined) link.#server.listen(0, '127.0.0.1')
    else link.#server.listen(path)
    await once(link.#server, 'listening')
    return link
  }

  /** The path of its unix socket. */
  get path(): string {
    return this.#server.address() as string
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /**
   * Ends connections, with whatever is on its way.
   *
   * @param which - the first or the last, which may connect again; by default all, and nobody can connect
   */
  cut(which: 'first' | 'last' | 'all' = 'all'): void {
    const connections = [...this.#connections]
    if (which === 'all') this.#isCut = true
    const chosen = which === 'all' ? connections : [connections.at(which === 'first' ? 0 : -1)]
    for (const ends of chosen) for (const socket of ends ?? []) socket.destroy()
  }

  /** Lets connections through again. */
  connect(): void {
    this.#isCut = false
  }

  /** Holds everything that is on its way, both ways. Nothing is lost. */
  stop(): void {
    this.#isStopped = true
    for (const ends of this.#connections) for (const socket of ends) socket.pause()
  }

  resume(): void {
    this.#isStopped = false
    for (const ends of this.#connections) for (const socket of ends) socket.resume()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }

  #connect(near: Socket, target: Target): void {
    near.on('error', () => near.destroy())
    if (this.#isCut) {
      near.destroy()
      return
    }
    const far = connect(target)
    const ends = [near, far] as const
    this.#connections.add(ends)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true)
      from.on('data', (chunk: Buffer) => to.write(chunk))
      from.on('error', () => from.destroy())
      from.on('close', () => {
        to.destroy()
        this.#connections.delete(ends)
      })
      if (this.#isStopped) from.pause()
    }
  }
}
