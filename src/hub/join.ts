import type { HistoryPosition } from '../relay/history.js'
import { type JoinResult, toPosition } from './history.js'
import type { Member } from './member.js'

/** Reads that may find that the group has moved on too far meanwhile. */
const MAX_ATTEMPTS = 5

/** A member that gets what it missed before it gets what is new. */
export class Join {
  readonly member: Member
  /** Where the client says that it was. */
  readonly since: HistoryPosition | undefined
  /** Settles when it has joined. */
  readonly result: Promise<JoinResult>
  /** The offset of the last message that it has got; `undefined` until the history has been read. */
  cursor: number | undefined
  /** Whether it has got all up to there. */
  isWhole = true
  #attempts = 0
  #resolve!: (result: JoinResult) => void
  #reject!: (error: Error) => void
  readonly #unwatch: unknown

  /** @param onClosed - called when the member closes meanwhile */
  constructor(member: Member, since: unknown, onClosed: (join: Join) => void) {
    this.member = member
    this.since = toPosition(since)
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#unwatch = member.onceClosed(() => onClosed(this))
  }

  /** It has read on, and will again. Returns `false` when it has done so too often. */
  tryAgain(): boolean {
    return ++this.#attempts < MAX_ATTEMPTS
  }

  resolve(result: JoinResult): void {
    this.#end()
    this.#resolve(result)
  }

  reject(error: Error): void {
    this.#end()
    this.#reject(error)
  }

  /** The member has left. */
  lose(): void {
    this.resolve({ recovered: false, position: undefined })
  }

  #end(): void {
    if (typeof this.#unwatch === 'function') (this.#unwatch as () => void)()
  }
}
