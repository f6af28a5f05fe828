import { type Channel, channel } from 'node:diagnostics_channel'

/**
 * The channels of `node:diagnostics_channel` that tell what happens on all connections of the process. Whoever publishes
 * asks `hasSubscribers` first: without one, nothing is made for them.
 */
export const channels: Readonly<
  Record<'connection' | 'message' | 'close' | 'error' | 'refused' | 'backpressure', Channel>
> = {
  connection: channel('hubwire:connection'),
  message: channel('hubwire:message'),
  close: channel('hubwire:close'),
  error: channel('hubwire:error'),
  refused: channel('hubwire:refused'),
  backpressure: channel('hubwire:backpressure'),
}
