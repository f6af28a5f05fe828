import { Deferred } from '../deferred.js'

/** What can be flushed: it settles when the server has taken all that was given before. */
interface Flushable {
  flush(): Promise<void>
}

/**
 * What was given to a connection and has not been flushed: what is given in one turn shares one flush. NATS answers no
 * publish, and a flush of a connection that is lost may never settle: {@link fail} settles it.
 */
export class Unflushed {
  readonly #connection: Flushable
  readonly #flushes = new Set<Deferred>()
  #next: Deferred | undefined

  constructor(connection: Flushable) {
    this.#connection = connection
  }

  /** Settles when the server has taken what was given to the connection so far. */
  add(): Promise<void> {
    return (this.#next ??= this.#begin()).promise
  }

  /** Rejects all that has not settled. */
  fail(error: Error): void {
    for (const flush of this.#flushes) flush.reject(error)
    this.#flushes.clear()
    this.#next = undefined
  }

  #begin(): Deferred {
    const flush = new Deferred()
    this.#flushes.add(flush)
    queueMicrotask(() => {
      if (this.#next === flush) this.#next = undefined
      if (this.#flushes.has(flush)) this.#run(flush)
    })
    return flush
  }

  #run(flush: Deferred): void {
    this.#connection.flush().then(
      () => {
        // In a later turn: the connection reports what the server has refused before by way of an iterator.
        setImmediate(() => {
          this.#flushes.delete(flush)
          flush.resolve()
        })
      },
      (error: unknown) => {
        this.#flushes.delete(flush)
        flush.reject(error as Error)
      },
    )
  }
}
