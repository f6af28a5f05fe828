import type { Close } from './peer.js'

/** How connections closed, by the id in their URL: recorded by a server and queried by a test, in any order. */
export class Closes {
  readonly #closes = new Map<string, { promise: Promise<Close>; resolve: (close: Close) => void }>()

  file(id: string, close: Close): void {
    this.#entry(id).resolve(close)
  }

  of(id: string): Promise<Close> {
    return this.#entry(id).promise
  }

  #entry(id: string): { promise: Promise<Close>; resolve: (close: Close) => void } {
    let entry = this.#closes.get(id)
    if (entry === undefined) {
      let resolve!: (close: Close) => void
      const promise = new Promise<Close>((settle) => {
        resolve = settle
      })
      entry = { promise, resolve }
      this.#closes.set(id, entry)
    }
    return entry
  }
}
