import type { HistoryMessage } from './history-message.js'

/** What all groups of a hub may hold together. */
const MAX_BYTES = 8 * 1024 * 1024
/** What a message takes besides its payload. */
const OVERHEAD = 512

/** The messages of a group by their offsets. */
export type Messages = Map<number, HistoryMessage>

/**
 * Messages that have recently arrived or been read: those that cannot be delivered yet, and those that rejoining members
 * need, so that they are encoded once.
 */
export class RecentMessages {
  /** From the oldest on. */
  readonly #all = new Map<HistoryMessage, { readonly group: Messages; readonly bytes: number }>()
  #bytes = 0

  add(group: Messages, message: HistoryMessage): void {
    const bytes = message.length + OVERHEAD
    group.set(message.position.offset, message)
    this.#all.set(message, { group, bytes })
    this.#bytes += bytes
    for (const oldest of this.#all.keys()) {
      if (this.#bytes <= MAX_BYTES) return
      this.#remove(oldest)
    }
  }

  /** Removes the messages of a group, or those behind an offset. */
  forget(group: Messages, behind = 0): void {
    for (const [offset, message] of group) if (offset > behind) this.#remove(message)
  }

  #remove(message: HistoryMessage): void {
    const { group, bytes } = this.#all.get(message)!
    this.#all.delete(message)
    this.#bytes -= bytes
    group.delete(message.position.offset)
  }
}
