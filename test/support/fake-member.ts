import type { Member } from '#src/hub/member.js'
import type { PreparedMessage } from '#src/sending/prepared-message.js'

/** A member without a connection. It records what is delivered, and returns what the test decides. */
export class FakeMember implements Member {
  readyState = 1
  readonly delivered: string[] = []
  readonly closedWith: unknown[][] = []
  #closed: (() => void)[] = []
  readonly #answer: (text: string) => boolean

  /** @param answer - called for each delivery; returns whether the message is delivered */
  constructor(answer: (text: string) => boolean = () => true) {
    this.#answer = answer
  }

  deliver(message: PreparedMessage): boolean {
    const text = message.payload.toString()
    if (!this.#answer(text)) return false
    this.delivered.push(text)
    return true
  }

  close(...values: unknown[]): void {
    this.closedWith.push(values)
  }

  onceClosed(listener: () => void): unknown {
    this.#closed.push(listener)
    return () => {
      this.#closed = this.#closed.filter((other) => other !== listener)
    }
  }

  /** The listeners of its close. */
  get watchers(): number {
    return this.#closed.length
  }

  /** Closes like a socket. */
  end(): void {
    this.readyState = 3
    const listeners = this.#closed
    this.#closed = []
    for (const listener of listeners) listener()
  }
}
