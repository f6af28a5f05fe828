import fc from 'fast-check'
import { Hub, type Group } from 'hubwire'
import { expect, test } from 'vitest'
import { turn, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { MemoryBroker, type MemoryRelay } from '../support/memory-broker.js'
import { PresenceLog } from '../support/presence-log.js'
import { runs } from '../support/runs.js'

const HUBS = 3
const GROUPS = 3

interface Step {
  readonly do: string
  readonly hub: number
  readonly group: number
  readonly count: number
  readonly direction: 'both' | 'publishing' | 'receiving'
}

/** A hub, and its members by group with their values; `undefined` for one that is not present. */
class Node {
  readonly hub: Hub
  readonly relay: MemoryRelay
  readonly log: PresenceLog
  readonly groups = Array.from({ length: GROUPS }, () => new Map<FakeMember, string | undefined>())
  count = 0

  constructor(broker: MemoryBroker) {
    this.relay = broker.relay({ heartbeatInterval: 2, requestTimeout: 5000, unsubscribeDelay: 0 })
    this.hub = new Hub({ relay: this.relay })
    this.log = new PresenceLog(this.hub)
  }

  group(group: number): Group {
    return this.hub.group(`group ${group}`)
  }

  get heartbeats(): number {
    return this.relay.published.filter((channel) => channel === 'hubwire:nodes').length
  }
}

/** Hubs, and who is present according to a naive model. */
class Run {
  readonly nodes: Node[]

  constructor() {
    const broker = new MemoryBroker()
    this.nodes = Array.from({ length: HUBS }, () => new Node(broker))
  }

  async take(step: Step): Promise<void> {
    const node = this.nodes[step.hub]!
    const members = node.groups[step.group]!
    switch (step.do) {
      case 'join':
        for (let count = 0; count < step.count; count++) this.#add(step, new FakeMember())
        break
      case 'join silently': {
        const member = new FakeMember()
        this.#begin(step)
        node.group(step.group).add(member)
        members.set(member, undefined)
        break
      }
      case 'change': {
        const [member] = members.keys()
        if (member !== undefined) this.#add(step, member)
        break
      }
      case 'leave':
        for (const member of [...members.keys()].slice(0, step.count)) {
          members.delete(member)
          member.end()
        }
        break
      case 'list':
        void node.group(step.group).members()
        break
      case 'cut':
        node.relay.cut(step.direction)
        break
      case 'connect':
        node.relay.connect()
        break
      case 'lose':
        node.relay.losing += step.count
        break
      case 'stop':
        node.relay.stop()
        break
      case 'resume':
        node.relay.resume()
        break
      default:
        for (let count = 0; count < 10 * step.count; count++) await turn()
    }
  }

  /** Ends all faults, and waits until each node has told the others all that it can tell. */
  async settle(): Promise<void> {
    for (const { relay } of this.nodes) {
      relay.losing = 0
      relay.resume()
      relay.connect()
    }
    await until(() => this.nodes.every(({ hub }) => hub.stats().relay?.connected === true))
    const before = this.nodes.map(({ heartbeats }) => heartbeats)
    await until(() => this.nodes.every(({ heartbeats }, index) => heartbeats > before[index]! + 40))
  }

  async check(): Promise<void> {
    for (let group = 0; group < GROUPS; group++) {
      const expected = this.nodes.flatMap(({ groups }) => [...groups[group]!.values()])
      const present = expected.filter((value) => value !== undefined).sort()
      for (const node of this.nodes) {
        const { members, missing } = await node.group(group).members()
        expect(missing).toEqual([])
        expect(members.map(({ data }) => data).sort()).toEqual(present)
        if (node.group(group).size > 0) expect(node.log.in(`group ${group}`)).toEqual(present)
      }
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map(({ hub }) => hub.close()))
  }

  #add({ hub, group }: Pick<Step, 'hub' | 'group'>, member: FakeMember): void {
    const node = this.nodes[hub]!
    const value = `${hub} ${node.count++}`
    this.#begin({ hub, group })
    node.group(group).add(member, { presence: value })
    node.groups[group]!.set(member, value)
  }

  /** A group that had no members at a node begins anew: its events name those who are present again. */
  #begin({ hub, group }: Pick<Step, 'hub' | 'group'>): void {
    const node = this.nodes[hub]!
    if (node.group(group).size === 0) node.log.present.delete(`group ${group}`)
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

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: step('join') },
    { weight: 2, arbitrary: step('join silently') },
    { weight: 2, arbitrary: step('change') },
    { weight: 4, arbitrary: step('leave') },
    { weight: 2, arbitrary: step('list') },
    { weight: 6, arbitrary: step('wait') },
    { weight: 3, arbitrary: step('connect') },
    ...['cut', 'lose', 'stop', 'resume'].map((name) => ({ weight: 1, arbitrary: step(name) })),
  ),
  { minLength: 10, maxLength: 60 },
)

test('every node reports exactly the present members after any faults, in events and members()', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const run = new Run()
      try {
        for (const one of sequence) await run.take(one)
        await run.settle()
        await run.check()
      } finally {
        await run.end()
      }
    }),
    { numRuns: runs(60), interruptAfterTimeLimit: runs(20_000), markInterruptAsFailure: false },
  )
})
