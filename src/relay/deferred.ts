import { ignore } from '../options/ignore.js'

/** A promise that is settled from outside. An unhandled rejection is ignored. */
export class Deferred {
  readonly promise: Promise<void>
  resolve!: () => void
  reject!: (error: Error) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.promise.catch(ignore)
  }
}
