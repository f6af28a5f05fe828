import { EventEmitter } from 'node:events'
import type { Member } from '#src/hub/member.js'
import type { PreparedMessage } from '#src/sending/prepared-message.js'

/** A member without a connection: it keeps what it is given, and answers as it is told. */
export class FakeMember extends EventEmitter implements Member {
  readyState = 1
  readonly delivered: string[] = []
  readonly closedWith: unknown[][] = []
  readonly #answer: (text: string) => boolean

  /** @param answer - what happens within a delivery, and whether it is one */
  constructor(answer: (text: string) => boolean = () => true) {
    super()
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

  /** What a socket does at its end. */
  end(): void {
    this.readyState = 3
    this.emit('close')
  }
}
