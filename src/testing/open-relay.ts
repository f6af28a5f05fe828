import { randomUUID } from 'node:crypto'
import type { Relay, RelayConnection } from '../relay/relay.js'

/** An open relay, and the messages received from it. */
export interface OpenRelay {
  readonly relay: Relay
  readonly states: RelayConnection[]
  readonly messages: [channel: string, payload: Buffer][]
  /** Resolves when this many messages have been received. */
  readonly received: (count: number) => Promise<void>
}

/** A requirement of a relay; rejects with an AssertionError if it is not met. */
export type Check = (open: () => Promise<OpenRelay>, make: () => Relay) => Promise<void>

/** Opens a relay, and waits until it is connected. */
export async function openRelay(relay: Relay): Promise<OpenRelay> {
  const states: RelayConnection[] = []
  const messages: [string, Buffer][] = []
  let wake = (): void => undefined
  const connected = new Promise<void>((resolve, reject) => {
    relay.open({
      connection(state) {
        states.push(state)
        if (state.canPublish && state.canReceive) resolve()
      },
      message(channel, payload) {
        messages.push([channel, Buffer.from(payload)])
        wake()
      },
      misconfigured: reject,
    })
  })
  await connected
  const received = (count: number): Promise<void> =>
    new Promise((resolve) => {
      wake = () => {
        if (messages.length >= count) resolve()
      }
      wake()
    })
  return { relay, states, messages, received }
}

/** A unique channel name. */
export const channelName = (what = ''): string => `check:${randomUUID()}:${what}`
