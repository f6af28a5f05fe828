import fc from 'fast-check'
import { type Gap, Hub, type HistoryOptions, type HistoryPosition } from 'hubwire'
import { expect, test } from 'vitest'
import { settled, turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'
import { runs } from '../support/runs.js'

const HUBS = 3
const CLIENTS = 4
const CHANNEL = 'hubwire:group:news'

interface Step {
  do: string
  hub: number
  client: number
  count: number
  direction: 'both' | 'publishing' | 'receiving'
}

interface Sent {
  readonly text: string
  readonly position: HistoryPosition
}

const encode: HistoryOptions['encode'] = (data, position) => JSON.stringify({ text: String(data), position })

/** A client that knows its position as a page does. */
class Client {
  /** What it got since it was last told to load the state anew, or that it missed something. */
  readonly got: Sent[] = []
  position: HistoryPosition | undefined
  hub: Hub | undefined
  #member: FakeMember | undefined
  #isJoining = false

  get isSettled(): boolean {
    return this.hub === undefined || !this.#isJoining
  }

  leave(): void {
    this.#member?.end()
    this.#member = this.hub = undefined
  }

  async join(hub: Hub): Promise<void> {
    this.leave()
    this.hub = hub
    this.#isJoining = true
    const { position: since } = this
    let isFirst = true
    const member: FakeMember = new FakeMember((text) => {
      const message = JSON.parse(text) as Sent
      // What the client had was not continued.
      if (isFirst && since === undefined) this.got.length = 0
      isFirst = false
      this.got.push(message)
      this.position = message.position
      return true
    })
    this.#member = member
    const { recovered, position } = await hub.group('news').add(member, { since })
    if (this.#member !== member || position === undefined) return
    this.#isJoining = false
    if (!recovered) this.reload(position)
    else expect(this.position).toEqual(position)
  }

  /** It missed something, or may have: what it has got so far says nothing about what follows. */
  reload(position = this.position): void {
    this.got.length = 0
    this.position = position
  }
}

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('publish', 'join', 'turn', 'turn') },
    { weight: 4, arbitrary: fc.constantFrom('connect', 'connect', 'cut', 'leave', 'lose') },
    { weight: 1, arbitrary: fc.constantFrom('clear', 'fall back') },
  ),
  hub: fc.nat(HUBS - 1),
  client: fc.nat(CLIENTS - 1),
  count: fc.integer({ min: 1, max: 6 }),
  direction: fc.constantFrom('both', 'publishing', 'receiving'),
})

async function run(steps: readonly Step[], size: number): Promise<void> {
  const broker = new MemoryBroker()
  const relays: MemoryRelay[] = []
  const taken = new Map<string, Sent>()
  const clients = Array.from({ length: CLIENTS }, () => new Client())
  const gaps: Gap[] = []
  const hubs = Array.from({ length: HUBS }, () => {
    const relay = broker.relay({ heartbeatInterval: 4, recoveryTimeout: 40, unsubscribeDelay: 5 })
    relays.push(relay)
    const hub = new Hub({ relay })
    hub.group('news', { history: { size, ttl: 60_000, encode } })
    hub.on('gap', (gap) => {
      gaps.push(gap)
      for (const client of clients) if (client.hub === hub) client.reload()
    })
    return hub
  })
  const published: Promise<unknown>[] = []
  let number = 0
  const publish = (hub: Hub): void => {
    const text = String(number++)
    published.push(
      hub.publish('news', text).then(({ relayed, position }) => {
        expect(relayed).toBe(position !== undefined)
        if (position !== undefined) taken.set(`${position.epoch} ${position.offset}`, { text, position })
      }),
    )
  }
  const joins: Promise<unknown>[] = []
  let losesData = false
  try {
    await Promise.all(hubs.map((hub) => hub.ready))
    for (const { do: action, hub, client, count, direction } of steps) {
      const relay = relays[hub]!
      if (action === 'publish') for (let each = 0; each < count; each++) publish(hubs[hub]!)
      else if (action === 'join') joins.push(clients[client]!.join(hubs[hub]!))
      else if (action === 'leave') clients[client]!.leave()
      else if (action === 'cut') relay.cut(direction)
      else if (action === 'connect') relay.connect()
      else if (action === 'lose') relay.losingEntries += count
      else if (action === 'clear') {
        broker.histories.clear()
        losesData = true
      } else if (action === 'fall back' && broker.histories.has(CHANNEL)) {
        broker.histories.fallBack(CHANNEL, count)
        losesData = true
      } else for (let each = 0; each < 4 * count; each++) await turn()
    }
    // Everything works again, and all that was published arrives.
    for (const relay of relays) {
      relay.losingEntries = 0
      relay.connect()
    }
    await until(() => hubs.every((hub) => hub.stats().relay!.connected))
    await until(() => clients.every(({ isSettled }) => isSettled))
    // A gap that is told behind a message makes its client forget that too, so the last one may not be the first try.
    do {
      for (const hub of hubs) publish(hub)
      await Promise.all(published)
      await settled()
    } while (!clients.every(({ hub, got }) => hub === undefined || got.at(-1)?.text === String(number - 1)))

    for (const { got } of clients) {
      for (const [index, { text, position }] of got.entries()) {
        // No message twice, none missing, each where the broker said that it is.
        const before = got[index - 1]?.position
        if (before?.epoch === position.epoch) expect(position.offset).toBe(before.offset + 1)
        else if (before !== undefined) expect(losesData).toBe(true)
        const known = taken.get(`${position.epoch} ${position.offset}`)
        if (known !== undefined && !losesData) expect(known.text).toBe(text)
      }
    }
    if (!losesData && size === 1000) expect(gaps).toEqual([])
  } finally {
    for (const client of clients) client.leave()
    await Promise.all(hubs.map((hub) => hub.close()))
    await Promise.allSettled(joins)
  }
}

test('three hubs and four reconnecting clients with random faults lose and duplicate no message without reporting it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
      fc.constantFrom(3, 1000),
      (steps, size) => run(steps, size),
    ),
    { numRuns: runs(300), interruptAfterTimeLimit: runs(15_000), timeout: 10_000 },
  )
})
