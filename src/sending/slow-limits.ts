/** What becomes of a peer that reads more slowly than it is written to, beyond `maxBufferedAmount`. */
export type SlowPolicy = 'terminate' | 'skip'

/** What a group counts as a slow member, where it differs from what the member's own server does. */
export interface SlowLimits {
  /** Bytes that may wait for a member before it counts as slow. */
  readonly maxBufferedAmount?: number | undefined
  /** What becomes of a slow member. */
  readonly slowPolicy?: SlowPolicy | undefined
}
