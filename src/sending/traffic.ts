/** What all connections with the same settings, those of a server, have sent and received together. */
export class Traffic {
  /** Whole messages that were received. */
  received = 0
  /** Whole messages that were accepted for a socket. */
  sent = 0
}
