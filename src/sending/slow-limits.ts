/** What happens to a peer for which more than `maxBufferedAmount` is queued. */
export type SlowPolicy = 'terminate' | 'skip'

/** The limits of a group for slow members, if they differ from those of the member's server. */
export interface SlowLimits {
  /** Bytes that may be queued for a member before it counts as slow. */
  readonly maxBufferedAmount?: number | undefined
  /** What happens to a slow member. */
  readonly slowPolicy?: SlowPolicy | undefined
}
