/** What all connections with the same settings, those of a server, have sent and received together. */
export class Traffic {
  /** Whole messages that came. */
  received = 0
  /** Whole messages that were given to a socket to send. */
  sent = 0
}
