import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import type { PartitionedRelay, Relay } from '../relay/relay.js'
import { historyChecks } from './history-checks.js'
import { channelName, type Check, openRelay, type OpenRelay } from './open-relay.js'

/** One requirement of a relay. */
export interface RelayCheck {
  /** The requirement, as a test name. */
  readonly name: string
  /** Rejects with an AssertionError if the relay does not meet it. */
  readonly run: () => Promise<void>
}

/**
 * The requirements of a hub for a relay, for any test runner. They need the broker, and use channels with random names.
 * A relay with partitions must meet them in each partition. Those that begin with `with a history` pass for a relay that
 * keeps none.
 *
 * ```ts
 * for (const { name, run } of relayChecks(() => redisRelay(client))) test(name, run)
 * ```
 *
 * @param make - creates a new relay to the same broker on each call
 */
export function relayChecks(make: () => Relay | PartitionedRelay): RelayCheck[] {
  return Object.entries({ ...checks, ...historyChecks }).map(([name, check]) => ({
    name,
    async run() {
      const made = [make()]
      const count = 'partitions' in made[0]! ? made[0].partitions.length : 1
      for (let partition = 0; partition < count; partition++) {
        await runCheck(check, () => partOf(made.pop() ?? make(), partition))
      }
    },
  }))
}

function partOf(relay: Relay | PartitionedRelay, partition: number): Relay {
  return 'partitions' in relay ? relay.partitions[partition]! : relay
}

async function runCheck(check: Check, make: () => Relay): Promise<void> {
  const opened: Relay[] = []
  const open = async (): Promise<OpenRelay> => {
    const relay = make()
    opened.push(relay)
    return await openRelay(relay)
  }
  try {
    await check(open, make)
  } finally {
    await Promise.all(opened.map((relay) => relay.close()))
  }
}

const texts = (messages: readonly [string, Buffer][]): string[] =>
  messages.map(([, payload]) => payload.toString())

/** Publishes to the channel that was subscribed to last. When that message arrives, all earlier ones have arrived. */
async function fence({ relay, messages, received }: OpenRelay, publisher: Relay): Promise<void> {
  const channel = channelName('fence')
  await relay.subscribe([channel])
  await publisher.publish(channel, Buffer.from('fence'))
  for (let count = messages.length; !messages.some(([name]) => name === channel); count++)
    await received(count)
}

const checks: Record<string, Check> = {
  async 'reports each change of its connection once'(open) {
    const { states } = await open()
    deepStrictEqual(states.at(-1), { canPublish: true, canReceive: true })
    for (const [index, state] of states.entries()) {
      if (index > 0) ok(JSON.stringify(state) !== JSON.stringify(states[index - 1]), 'a state came twice')
    }
  },

  async 'delivers to all subscribers of a channel, including itself, and to no others'(open) {
    const [one, other, third] = [await open(), await open(), await open()]
    const [channel, elsewhere] = [channelName(), channelName()]
    await Promise.all([one.relay.subscribe([channel]), other.relay.subscribe([channel])])
    await third.relay.subscribe([elsewhere])
    await one.relay.publish(channel, Buffer.from('hello'))
    await Promise.all([one.received(1), other.received(1), fence(third, one.relay)])
    deepStrictEqual(one.messages, [[channel, Buffer.from('hello')]])
    deepStrictEqual(other.messages, [[channel, Buffer.from('hello')]])
    deepStrictEqual(texts(third.messages), ['fence'])
  },

  async 'changes no byte of a message'(open) {
    const { relay, messages, received } = await open()
    const channel = channelName()
    const payloads = [
      Buffer.alloc(0),
      Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
      Buffer.from('\r\n$5\r\n'),
      Buffer.alloc(1024 * 1024, 0xe2),
    ]
    await relay.subscribe([channel])
    await Promise.all(payloads.map((payload) => relay.publish(channel, payload)))
    await received(payloads.length)
    ok(payloads.every((payload, index) => payload.equals(messages[index]![1])))
  },

  async 'keeps the order of one publisher, even across channels'(open) {
    const [publisher, subscriber] = [await open(), await open()]
    const channels = [channelName(), channelName(), channelName()]
    await subscriber.relay.subscribe(channels)
    const numbers = Array.from({ length: 3000 }, (_, index) => String(index))
    for (let start = 0; start < numbers.length; start += 300) {
      const some = numbers.slice(start, start + 300)
      await Promise.all(
        some.map((text, index) => publisher.relay.publish(channels[index % 3]!, Buffer.from(text))),
      )
    }
    await subscriber.received(numbers.length)
    deepStrictEqual(texts(subscriber.messages), numbers)
  },

  async 'treats channel names as opaque'(open) {
    const { relay, messages, received } = await open()
    const names = ['*', '?', '[a]', '{a}b', 'a b', 'ü🙂', '__proto__', 'line\r\nbreak'].map(channelName)
    await relay.subscribe(names)
    for (const name of names) await relay.publish(name, Buffer.from(name))
    await received(names.length)
    deepStrictEqual(
      messages.map(([channel, payload]) => [channel, payload.toString()]),
      names.map((name) => [name, name]),
    )
  },

  async 'subscribes to many channels in one call'(open) {
    const [publisher, subscriber] = [await open(), await open()]
    const names = Array.from({ length: 1000 }, (_, index) => channelName(String(index)))
    await subscriber.relay.subscribe(names)
    await Promise.all(names.map((name) => publisher.relay.publish(name, Buffer.from(name))))
    await subscriber.received(names.length)
    deepStrictEqual(texts(subscriber.messages), names)
  },

  async 'delivers nothing from a channel after its subscription has ended'(open) {
    const [publisher, subscriber] = [await open(), await open()]
    const [kept, ended] = [channelName(), channelName()]
    await subscriber.relay.subscribe([kept, ended])
    await subscriber.relay.unsubscribe([ended])
    await publisher.relay.publish(ended, Buffer.from('ended'))
    await publisher.relay.publish(kept, Buffer.from('kept'))
    await subscriber.received(1)
    deepStrictEqual(texts(subscriber.messages), ['kept'])
    await subscriber.relay.subscribe([ended])
    await publisher.relay.publish(ended, Buffer.from('again'))
    await subscriber.received(2)
    deepStrictEqual(texts(subscriber.messages), ['kept', 'again'])
  },

  async 'resolves publish with the number of subscribers, or undefined'(open) {
    const [one, other] = [await open(), await open()]
    const channel = channelName()
    await Promise.all([one.relay.subscribe([channel]), other.relay.subscribe([channel])])
    const count = await one.relay.publish(channel, Buffer.from('counted'))
    if (count !== undefined) strictEqual(count, 2)
  },

  async 'calls no event and rejects commands after it is closed'(open) {
    const [one, other] = [await open(), await open()]
    const channel = channelName()
    await one.relay.subscribe([channel])
    const states = one.states.length
    await one.relay.close()
    await other.relay.publish(channel, Buffer.from('late'))
    await rejects(async () => await one.relay.publish(channel, Buffer.from('late')))
    await rejects(async () => await one.relay.subscribe([channelName()]))
    strictEqual(one.states.length, states)
    deepStrictEqual(one.messages, [])
  },

  async 'can be closed before it has connected'(_, make) {
    const relay = make()
    const told: unknown[] = []
    relay.open({
      connection: (state) => told.push(state),
      message: (channel) => told.push(channel),
      misconfigured: (error) => told.push(error),
    })
    await relay.close()
    deepStrictEqual(told, [])
  },
}
