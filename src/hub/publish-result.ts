import type { HistoryPosition } from '../relay/history.js'
import type { BroadcastResult } from './broadcast.js'

/** How many members received a message, and whether it was relayed. */
export interface PublishResult extends BroadcastResult {
  /**
   * Whether the broker accepted it. `false` if it stayed in this process, or if this is not known because the
   * connection was lost meanwhile: it is not sent again. In a group with a history, a message that stays in this process
   * is not delivered.
   */
  relayed: boolean
  /** Its position in the history of the group, if it has one and the message is in it. */
  position?: HistoryPosition
}
