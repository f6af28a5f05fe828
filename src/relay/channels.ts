/** The names of the channels. `redis-cli PUBSUB CHANNELS 'prefix*'` shows them, so they are readable. */
export class Channels {
  /** All nodes. */
  readonly nodes: string
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
    this.nodes = `${prefix}nodes`
  }

  /** One node. */
  node(id: string): string {
    return `${this.#prefix}node:${id}`
  }

  /** A node, or all nodes without an id. */
  to(id: string | undefined): string {
    return id === undefined ? this.nodes : this.node(id)
  }

  /** One attempt of a node to receive its own message. */
  probe(id: string, attempt: number): string {
    return `${this.#prefix}probe:${id}:${attempt}`
  }

  /** The messages of a group among nodes. */
  group(key: string): string {
    return `${this.#prefix}group:${key}`
  }

  /** The channel on which other programs publish text to a group. */
  plain(key: string): string {
    return `${this.#prefix}plain:${key}`
  }
}

/**
 * The name of a group as nodes write it. Lone surrogates have no UTF-8: two names with different ones would share a
 * channel. They are written `%uD800`, and `%` is written `%25`.
 */
export function keyOf(name: string): string {
  return name.replace(/%|\p{Surrogate}/gu, (character) =>
    character === '%' ? '%25' : `%u${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The longest name of a group that is relayed, in UTF-16 code units. */
export const MAX_NAME_LENGTH = 1024
