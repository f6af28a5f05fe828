import fc from 'fast-check'
import { type Gap, Hub, type Relay, type RelayOptions } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { type Direction, faultyNetworks, type FaultyRelay } from '../support/faulty-network.js'
import { requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'

const HUBS = 3
const GROUPS = 3

interface Step {
  do: string
  hub: number
  group: number
  count: number
  direction: Direction
}

/** A member, and what it should get: what was published while the group was ready for it. */
class Subject {
  readonly member = new FakeMember()
  readonly expected: { text: string; at: number }[] = []
  isReady = false
  /** The heartbeats that each node had sent when it became ready. */
  heartbeats: number[] = []
}

/** One process: a hub, its relay, and a member at most in each group. */
class Node {
  readonly hub: Hub
  readonly link: FaultyRelay
  readonly gaps: { gap: Gap; at: number }[] = []
  readonly subjects = new Map<number, Subject>()
  readonly gone: Subject[] = []
  published = 0
  /** The heartbeats that were sent, by partition. */
  readonly #heartbeats: number[]

  constructor(link: FaultyRelay, now: () => number) {
    this.link = link
    const { relay } = link
    const parts = 'partitions' in relay ? relay.partitions : [relay]
    this.#heartbeats = parts.map(() => 0)
    for (const [index, part] of parts.entries()) this.#count(index, part)
    this.hub = new Hub({ relay })
    this.hub.on('gap', (gap) => this.gaps.push({ gap, at: now() }))
  }

  /** The fewest that it has sent in any partition. */
  get heartbeats(): number {
    return Math.min(...this.#heartbeats)
  }

  #count(index: number, relay: Relay): void {
    const { publish } = relay
    relay.publish = (channel, payload) => {
      if (channel.endsWith(':nodes')) this.#heartbeats[index]!++
      return publish.call(relay, channel, payload)
    }
  }
}

class Run {
  readonly nodes: Node[] = []
  #now = 0
  readonly #mayLose: boolean

  constructor(mayLose: boolean) {
    this.#mayLose = mayLose
  }

  async begin(
    link: (options: RelayOptions) => Promise<FaultyRelay>,
    heartbeatInterval: number,
  ): Promise<void> {
    const options = {
      heartbeatInterval,
      recoveryTimeout: 10 * heartbeatInterval,
      requestTimeout: 10 * heartbeatInterval,
      unsubscribeDelay: 5,
    }
    while (this.nodes.length < HUBS) this.nodes.push(new Node(await link(options), () => this.#now))
    await Promise.all(this.nodes.map(({ hub }) => hub.ready))
  }

  async take(step: Step): Promise<void> {
    this.#now++
    const node = this.nodes[step.hub]!
    switch (step.do) {
      case 'join':
        this.#join(node, step.group)
        break
      case 'leave':
        this.#leave(node, step.group)
        break
      case 'publish':
        for (let count = 0; count < step.count; count++) this.#publish(step.hub, step.group)
        break
      case 'cut':
        node.link.cut(step.direction)
        break
      case 'connect':
        node.link.connect()
        break
      case 'lose':
        node.link.lose(step.count)
        break
      case 'stop':
        node.link.stop()
        break
      case 'resume':
        node.link.resume()
        break
      default:
        for (let count = 0; count < 10 * step.count; count++) await turn()
    }
  }

  /** Ends all faults, and waits until each node has told the others all that it can tell. */
  async settle(): Promise<void> {
    for (const { link } of this.nodes) {
      link.resume()
      link.connect()
    }
    await until(() => this.nodes.every(({ hub }) => hub.stats().relay?.connected === true))
    const before = this.nodes.map(({ heartbeats }) => heartbeats)
    await until(() => this.nodes.every(({ heartbeats }, index) => heartbeats > before[index]! + 20))
  }

  check(mayLose: boolean): void {
    for (const { subjects, gone, gaps } of this.nodes) {
      if (!mayLose) expect(gaps).toEqual([])
      for (const [group, subject] of subjects) {
        const got = new Set(subject.member.delivered)
        for (const { text, at } of subject.expected) {
          if (got.has(text)) continue
          const isTold = gaps.some(({ gap, at: told }) => told >= at && gap.groups.includes(`group ${group}`))
          expect(mayLose && isTold, `${text} was lost in silence: ${JSON.stringify(gaps)}`).toBe(true)
        }
      }
      for (const { member } of [...subjects.values(), ...gone]) checkOrder(member.delivered)
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map(({ hub }) => hub.close()))
    await Promise.all(this.nodes.map(({ link }) => link.close()))
  }

  #join(node: Node, group: number): void {
    if (node.subjects.has(group)) return
    const subject = new Subject()
    node.subjects.set(group, subject)
    const handle = node.hub.group(`group ${group}`).add(subject.member)
    void handle.ready.then(() => {
      subject.isReady = true
      subject.heartbeats = this.nodes.map(({ heartbeats }) => heartbeats)
    })
  }

  #leave(node: Node, group: number): void {
    const subject = node.subjects.get(group)
    if (subject === undefined) return
    node.subjects.delete(group)
    node.gone.push(subject)
    node.hub.leaveAll(subject.member)
  }

  #publish(from: number, group: number): void {
    const node = this.nodes[from]!
    const text = `${from} ${node.published++}`
    for (const { subjects } of this.nodes) {
      const subject = subjects.get(group)
      if (subject?.isReady !== true) continue
      // What a broker loses on a connection that stays up is found from the second heartbeat on.
      if (this.#mayLose && node.heartbeats < subject.heartbeats[from]! + 3) continue
      subject.expected.push({ text, at: this.#now })
    }
    node.hub.broadcast(`group ${group}`, text)
  }
}

/** Each message once at most, and in the order of each publisher. */
function checkOrder(delivered: readonly string[]): void {
  const last = new Map<string, number>()
  for (const text of delivered) {
    const [from, number] = text.split(' ') as [string, string]
    expect(Number(number), delivered.join(', ')).toBeGreaterThan(last.get(from) ?? -1)
    last.set(from, Number(number))
  }
}

const step = (name: string): fc.Arbitrary<Step> =>
  fc.record({
    do: fc.constant(name),
    hub: fc.nat(HUBS - 1),
    group: fc.nat(GROUPS - 1),
    count: fc.integer({ min: 1, max: 4 }),
    direction: fc.constantFrom('both', 'publishing', 'receiving'),
  })

const usual = [
  { weight: 4, arbitrary: step('join') },
  { weight: 1, arbitrary: step('leave') },
  { weight: 8, arbitrary: step('publish') },
  { weight: 6, arbitrary: step('wait') },
]
const faults = ['cut', 'lose', 'stop', 'resume'].map((name) => ({ weight: 1, arbitrary: step(name) }))

async function play(
  link: (options: RelayOptions) => Promise<FaultyRelay>,
  heartbeatInterval: number,
  steps: readonly Step[],
  mayLose: boolean,
): Promise<void> {
  const run = new Run(mayLose)
  try {
    await run.begin(link, heartbeatInterval)
    for (const one of steps) await run.take(one)
    await run.settle()
    run.check(mayLose)
  } finally {
    await run.end()
  }
}

const withFaults = fc.array(fc.oneof(...usual, ...faults, { weight: 3, arbitrary: step('connect') }), {
  minLength: 10,
  maxLength: 60,
})
const withoutFaults = fc.array(fc.oneof(...usual), { minLength: 10, maxLength: 60 })

for (const { title, requirement, heartbeatInterval, start } of faultyNetworks) {
  // A broker that is a program needs more time for each run.
  const isInMemory = heartbeatInterval < 10
  const interruptAfterTimeLimit = runs(isInMemory ? 20_000 : 5000)

  describe(`on ${title}`, requirement === undefined ? {} : requires(requirement), () => {
    test('covers every missed message by a gap, and delivers none twice or out of order', async () => {
      const begin = await start()
      await fc.assert(
        fc.asyncProperty(withFaults, (steps) => play(begin(), heartbeatInterval, steps, true)),
        { numRuns: runs(isInMemory ? 60 : 6), interruptAfterTimeLimit, markInterruptAsFailure: false },
      )
    })

    test('delivers every message to every member, without a gap, if nothing fails', async () => {
      const begin = await start()
      await fc.assert(
        fc.asyncProperty(withoutFaults, (steps) => play(begin(), heartbeatInterval, steps, false)),
        { numRuns: runs(isInMemory ? 40 : 4), interruptAfterTimeLimit, markInterruptAsFailure: false },
      )
    })
  })
}
