/** The messages that all connections with the same settings, such as those of a server, have sent and received. */
export class Traffic {
  /** Complete messages that were received. */
  received = 0
  /** Complete messages that were accepted for sending. */
  sent = 0
}
