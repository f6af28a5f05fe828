import type { HistoryPosition } from '../relay/history.js'
import type { BroadcastResult } from './broadcast.js'

/** How many members received a message, and whether it was relayed. */
export interface PublishResult extends BroadcastResult {
  /**
   * Whether the broker has taken it. `false` if it stayed in this process, or if that is not known because the
   * connection was lost meanwhile: it is not sent again. In a group with a history nobody receives what stays in this
   * process.
   */
  relayed: boolean
  /** Its position in the history of the group, if it has one and the message is in it. */
  position?: HistoryPosition
}
