import type { Channels } from './channels.js'
import { encodeHeartbeat, type SendingNode } from './control.js'
import type { Counters } from './counters.js'
import type { PresencePublisher } from './presence-publisher.js'
import type { Relay } from './relay.js'

/** Publishes heartbeats, one at a time. */
export class Heartbeats {
  readonly #relay: Relay
  readonly #channels: Channels
  readonly #counters: Counters
  readonly #presence: PresencePublisher
  /** The one that the broker has not answered. */
  #unanswered: symbol | undefined

  constructor(relay: Relay, channels: Channels, counters: Counters, presence: PresencePublisher) {
    this.#relay = relay
    this.#channels = channels
    this.#counters = counters
    this.#presence = presence
  }

  /** Publishes one, unless the broker has not answered the last. */
  beat(sender: SendingNode): void {
    if (this.#unanswered !== undefined) return
    const mark = Symbol()
    this.#unanswered = mark
    const heartbeat = this.#counters.heartbeat()
    const presence = this.#presence.entries()
    const entries = [...heartbeat.entries, ...presence]
    const published = encodeHeartbeat(sender, { ...heartbeat, entries }).map((part) =>
      this.#relay.publish(this.#channels.nodes, part),
    )
    const settled = (isTaken: boolean): void => {
      if (this.#unanswered !== mark) return
      this.#unanswered = undefined
      if (!isTaken) return
      this.#counters.taken(heartbeat)
      this.#presence.taken(presence)
    }
    Promise.all(published).then(
      () => settled(true),
      () => settled(false),
    )
  }

  /** The last one may have arrived or not: the next one repeats everything. */
  giveUp(): void {
    this.#unanswered = undefined
  }
}
