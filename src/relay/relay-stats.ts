/** Statistics and the state of a hub's relay. */
export interface RelayStats {
  /** Whether messages are exchanged with other nodes. */
  connected: boolean
  /** Other nodes that are known. */
  nodes: number
  /** Messages sent to the broker. */
  published: number
  /** Messages that stayed local, while disconnected or because the broker was too slow. */
  dropped: number
  /** Messages that came from other nodes or programs. */
  received: number
  /** Messages from the broker that were refused: malformed, too long, or of another version. */
  refused: number
  /** `'gap'` events. */
  gaps: number
}
