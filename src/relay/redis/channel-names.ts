/** What a relay's channels are called at the server that has them. */
export interface ChannelNames {
  /** The slot of the channels; 0 where there are no slots. */
  readonly slot: number
  /** The channel to which a publisher publishes to check that it has the right server; it has no subscribers. */
  readonly check: string | undefined
  /** Whether a channel is one of sharded pub/sub. */
  isSharded(channel: string): boolean
  toServer(channel: string): string
  /** Returns `undefined` for a channel of another partition. */
  fromServer(name: string): string | undefined
}

/** The names of a server without a cluster: the relay's own. */
export const plainNames: ChannelNames = {
  slot: 0,
  check: undefined,
  isSharded: () => false,
  toServer: (channel) => channel,
  fromServer: (name) => name,
}

/**
 * The names of a partition: `chat:group:news` is `chat:{3}:group:news`, so that all of its channels are in one slot.
 * What other programs publish is not sharded, and reaches all servers of a cluster: they need not know the partition.
 */
export function partitionNames(prefix: string, tag: string, slot: number): ChannelNames {
  const own = `${prefix}{${tag}}:`
  const other = `{${tag}}:`
  const plain = `${prefix}plain:`
  return {
    slot,
    check: `${own}check`,
    isSharded: (channel) => !channel.startsWith(plain),
    toServer(channel) {
      if (channel.startsWith(plain)) return channel
      return channel.startsWith(prefix) ? own + channel.slice(prefix.length) : other + channel
    },
    fromServer(name) {
      if (name.startsWith(own)) return prefix + name.slice(own.length)
      if (name.startsWith(plain)) return name
      return name.startsWith(other) ? name.slice(other.length) : undefined
    },
  }
}
