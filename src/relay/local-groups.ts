import type { RelayedMessage } from './envelope.js'

/** The groups of this process, as a relay needs them. */
export interface LocalGroups {
  /** The id by which other nodes know this one. */
  readonly id: string
  deliver(name: string, message: RelayedMessage): void
  size(name: string): number
  /**
   * Begins to close all members of a group. Returns their number.
   *
   * @throws what a member throws for a code or a reason that may not be sent
   */
  close(name: string, code: number | undefined, reason: string): number
  counts(): { readonly groups: number; readonly members: number }
}
