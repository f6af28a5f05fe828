import { setTimeout } from 'node:timers/promises'
import { ignore } from '../../options/ignore.js'
import type { Server } from './connection.js'

/** Milliseconds within which a query must be answered: the kernel accepts connections even for a server that hangs. */
const LOOKUP_TIMEOUT = 3000

/** Milliseconds between two lookups at least: each makes connections, and all partitions may ask when servers fail. */
const LOOKUP_INTERVAL = 500

/** The address of a server. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** A client that was created to ask once for the master. */
export interface Lookup {
  connect(): Promise<unknown>
  /** The server of a slot; the master, where there are no slots. */
  serverOf(slot: number): Promise<Server>
  /** Stays open, and calls `onMoved` when another server takes over. Without it, the servers themselves report that. */
  watch?(onMoved: () => void): void
  close(): void
}

/**
 * Makes a client that asks once.
 *
 * @param known - servers to ask besides those of the user's client, which may all have been replaced
 * @param onError - told why a server could not be asked
 */
export type StartLookup = (known: readonly Address[], onError: (error: Error) => void) => Lookup

/** Is notified when another server takes over. */
export interface TopologyUser {
  moved(): void
}

/** A lookup, and how many wait for its answers. */
interface Shared {
  readonly lookup: Lookup
  readonly connected: Promise<unknown>
  users: number
  isOver: boolean
}

/**
 * Looks up the master, with a new client each time. What a client learned when it connected does not help when a server
 * has failed, and none of the clients asks again while it gets no replies.
 */
export class Topology {
  readonly #start: StartLookup
  /** The one that is connecting, which concurrent requests share. */
  #opening: Shared | undefined
  readonly #open = new Set<Shared>()
  /** The last known masters, by slot. */
  readonly #known = new Map<number, Server>()
  readonly #users = new Set<TopologyUser>()
  /** The lookup that stays open. */
  #watching: Shared | undefined
  /** When the next lookup may begin. */
  #next = 0

  constructor(start: StartLookup) {
    this.#start = start
  }

  /**
   * @param slot - 0 where there are no slots
   * @param onError - told why a server could not be asked
   */
  async serverOf(slot: number, onError: (error: Error) => void): Promise<Server> {
    const shared = (this.#opening ??= this.#begin(onError))
    shared.users++
    try {
      const server = await limited(shared.connected.then(() => shared.lookup.serverOf(slot)))
      this.#known.set(slot, server)
      this.#watch(shared)
      return server
    } finally {
      if (--shared.users === 0 && shared !== this.#watching) this.#end(shared)
    }
  }

  use(user: TopologyUser): void {
    this.#users.add(user)
  }

  /** Without users, its connections are ended. */
  leave(user: TopologyUser): void {
    this.#users.delete(user)
    if (this.#users.size === 0) for (const shared of [...this.#open]) this.#end(shared)
  }

  #watch(shared: Shared): void {
    const before = this.#watching
    if (shared.lookup.watch === undefined || shared.isOver || shared === before) return
    this.#watching = shared
    if (before?.users === 0) this.#end(before)
    shared.lookup.watch(() => {
      if (shared === this.#watching) for (const user of this.#users) user.moved()
    })
  }

  #begin(onError: (error: Error) => void): Shared {
    const shared: Shared = {
      lookup: this.#start([...this.#known.values()], onError),
      connected: this.#turn().then(() => {
        if (shared.isOver) throw new Error('The lookup was abandoned')
        return shared.lookup.connect()
      }),
      users: 0,
      isOver: false,
    }
    this.#open.add(shared)
    const settled = (): void => {
      if (this.#opening === shared) this.#opening = undefined
    }
    shared.connected.then(settled, settled)
    return shared
  }

  /** Waits until a lookup may begin. Requests in the meantime share it. */
  async #turn(): Promise<void> {
    const wait = this.#next - performance.now()
    if (wait > 0) await setTimeout(wait, undefined, { ref: false })
    this.#next = performance.now() + LOOKUP_INTERVAL
  }

  #end(shared: Shared): void {
    if (this.#opening === shared) this.#opening = undefined
    if (!this.#open.delete(shared)) return
    shared.isOver = true
    shared.lookup.close()
  }
}

/** Rejects when it takes too long. */
async function limited<Result>(promise: Promise<Result>): Promise<Result> {
  // It may reject when it is no longer awaited.
  promise.catch(ignore)
  const over = new AbortController()
  const { signal } = over
  const timeout = setTimeout(LOOKUP_TIMEOUT, undefined, { ref: false, signal }).then(() => {
    throw new Error('Redis did not report the master in time')
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    timeout.catch(ignore)
    over.abort()
  }
}
