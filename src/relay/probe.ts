import type { Channels } from './channels.js'
import { encodeBare, type SendingNode } from './control.js'
import { Kind, readHeader } from './envelope.js'
import { ignore } from '../options/ignore.js'
import type { Relay } from './relay.js'

/** Milliseconds after which a node that has not received its own message tries again. */
const PROBE_TIMEOUT = 5000

/** What a probe requires from its node. */
interface ProbeOptions {
  readonly relay: Relay
  readonly channels: Channels
  readonly sender: () => SendingNode
  /** The node has received its own message: it can publish, and its earlier subscriptions work. */
  readonly onHeard: () => void
  /** The node has not received its own message for long. */
  readonly onTimeout: () => void
}

/**
 * Finds out whether a connection works in both directions. Each attempt publishes to a new channel, which was subscribed
 * to last: a broker restores subscriptions in the order in which it is asked to, and nothing else proves that it has.
 */
export class Probe {
  readonly #options: ProbeOptions
  #attempts = 0
  #channel: string | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: ProbeOptions) {
    this.#options = options
  }

  begin(): void {
    this.end()
    const { relay, channels, sender, onTimeout } = this.#options
    const { id } = sender()
    const channel = channels.probe(id, ++this.#attempts)
    this.#channel = channel
    this.#timer = setTimeout(onTimeout, PROBE_TIMEOUT).unref()
    relay.subscribe([channel]).then(() => {
      if (this.#channel !== channel) return
      relay.publish(channel, encodeBare(Kind.probe, sender())).catch(ignore)
    }, ignore)
  }

  end(): void {
    clearTimeout(this.#timer)
    if (this.#channel !== undefined) this.#options.relay.unsubscribe([this.#channel]).catch(ignore)
    this.#channel = undefined
  }

  /** Takes what arrived on a channel. Returns `false` when it is not the one of the attempt that runs. */
  take(channel: string, payload: Buffer): boolean {
    if (channel !== this.#channel) return false
    const header = readHeader(payload)
    if (header?.kind !== Kind.probe || header.node !== this.#options.sender().id) return true
    this.end()
    this.#options.onHeard()
    return true
  }
}
