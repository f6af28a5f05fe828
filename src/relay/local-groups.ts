import type { RelayedMessage } from './envelope.js'
import type { Gap } from './gap.js'
import type { HistoryEntry } from './history.js'

/** The groups of this process, as a relay needs them. */
export interface LocalGroups {
  /** The id by which other nodes know this one. */
  readonly id: string
  deliver(name: string, message: RelayedMessage): void
  /**
   * Takes an entry of a history.
   *
   * @param entry - `undefined` when it was dropped, because too much waits
   */
  deliverEntry(name: string, entry: HistoryEntry | undefined): void
  /** Reads what groups with a history missed. Returns the gap of the others; `undefined` if there are none. */
  refill(gap: Gap): Gap | undefined
  /** The state of the connection to the broker may have changed: whether it works in both directions is `isUp`. */
  connectionChanged(canPublish: boolean, isUp: boolean): void
  size(name: string): number
  /**
   * Begins to close all members of a group. Returns their number.
   *
   * @throws what a member throws for a code or a reason that may not be sent
   */
  close(name: string, code: number | undefined, reason: string): number
  counts(): { readonly groups: number; readonly members: number }
}
