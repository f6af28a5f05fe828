import type { Server, ServerConnection } from './connection.js'

/** Who uses a connection that others use too. */
export interface ConnectionUser {
  /** Commands can be sent. */
  connected(connection: ServerConnection): void
  /** It is closed, and no event follows. */
  lost(): void
  message(channel: string, payload: Buffer): void
  error(error: Error): void
}

interface Shared {
  readonly connection: ServerConnection
  readonly users: Set<ConnectionUser>
  isReady: boolean
}

/** One connection to each server, however many partitions have their slots there. None is used again when it is lost. */
export class SharedConnections {
  readonly #connections = new Map<string, Shared>()

  /** Returns what ends the use. */
  join(server: Server, user: ConnectionUser): (isDead: boolean) => void {
    const address = `${server.host} ${server.port}`
    const shared = this.#connections.get(address) ?? this.#open(address, server)
    shared.users.add(user)
    if (shared.isReady) {
      process.nextTick(() => {
        if (shared.users.has(user)) user.connected(shared.connection)
      })
    }
    return (isDead) => {
      shared.users.delete(user)
      if (isDead || shared.users.size === 0) this.#lose(address, shared)
    }
  }

  #open(address: string, server: Server): Shared {
    const connection = server.connect()
    const shared: Shared = { connection, users: new Set(), isReady: false }
    this.#connections.set(address, shared)
    connection.open({
      ready: (isReady) => {
        if (!isReady) this.#lose(address, shared)
        else if (!shared.isReady) {
          shared.isReady = true
          for (const user of [...shared.users]) user.connected(connection)
        }
      },
      message: (channel, payload) => {
        for (const user of shared.users) user.message(channel, payload)
      },
      error: (error) => {
        for (const user of shared.users) user.error(error)
      },
    })
    return shared
  }

  #lose(address: string, shared: Shared): void {
    if (this.#connections.get(address) === shared) this.#connections.delete(address)
    shared.isReady = false
    shared.connection.close()
    const users = [...shared.users]
    shared.users.clear()
    for (const user of users) user.lost()
  }
}
