import fc from 'fast-check'
import { Hub, type Group, type WebSocket } from 'hubwire'
import { expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import type { MemoryDuplex } from '../support/memory-duplex.js'
import { memoryPair } from '../support/memory-pair.js'
import { runs } from '../support/runs.js'

/** Connections that send in all possible ways: plain and masked, with each kind of window. */
const KINDS = [
  { deflate: false, role: 'server' },
  { deflate: false, role: 'server' },
  { deflate: { threshold: 0 }, role: 'server' },
  { deflate: { threshold: 0 }, role: 'server' },
  { deflate: { serverMaxWindowBits: 9 }, role: 'server' },
  {
    deflate: { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 100 },
    role: 'server',
  },
  { deflate: false, role: 'client' },
  {
    deflate: { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 0 },
    role: 'client',
  },
] as const

/** Lengths: short, around the limits at which the way of sending changes, and long enough for the thread pool. */
const length = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 200 }) },
  { weight: 3, arbitrary: fc.constantFrom(125, 126, 1024, 2047, 2049, 16_384, 16_385) },
  { weight: 1, arbitrary: fc.constantFrom(65_535, 65_537, 100_000) },
)
const who = fc.nat(KINDS.length - 1)
const group = fc.nat(1)
const body = { length, binary: fc.boolean(), compress: fc.boolean() }

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('add'), group, who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), group, who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('leave'), who }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('broadcast'),
        group,
        except: fc.uniqueArray(who, { maxLength: 3 }),
        ...body,
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('send'), who, fin: fc.boolean(), ...body }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('ping'), who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('blob'), who, length }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('stall'), who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('release'), who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('close'), who }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('tick') }) },
  ),
  { minLength: 10, maxLength: 80 },
)

interface Step {
  do: string
  who?: number
  group: number
  except: number[]
  length: number
  binary: boolean
  compress: boolean
  fin: boolean
}

/** A naive model of what a member's peer receives. */
class NaiveMember {
  readonly groups = new Set<number>()
  readonly expected: string[] = []
  isOpen = true
  #unfinished: { text: string; binary: boolean } | undefined
  #behind: string[] = []

  /** Whether broadcasts wait for the end of a message that was not finished. */
  get holdsBack(): boolean {
    return this.#behind.length > 0
  }

  send(text: string, binary: boolean, fin: boolean): void {
    this.#unfinished ??= { text: '', binary }
    this.#unfinished.text += text
    if (!fin) return
    this.expected.push(described(this.#unfinished.text, this.#unfinished.binary), ...this.#behind)
    this.#unfinished = undefined
    this.#behind = []
  }

  broadcast(text: string, binary: boolean): void {
    if (this.#unfinished === undefined) this.expected.push(described(text, binary))
    else this.#behind.push(described(text, binary))
  }
}

class Subject {
  readonly model = new NaiveMember()
  readonly received: string[] = []
  readonly member: WebSocket<undefined> | WebSocket
  readonly peer: WebSocket | WebSocket<undefined>
  readonly end: MemoryDuplex
  readonly closed: Promise<unknown>

  constructor(member: WebSocket, peer: WebSocket, end: MemoryDuplex) {
    this.member = member
    this.peer = peer
    this.end = end
    this.closed = Promise.all([closeOf(peer), closeOf(member)])
    peer.on('message', (data, isBinary) =>
      this.received.push(described(String(data as string | Buffer), isBinary)),
    )
  }

  static async open({ deflate, role }: (typeof KINDS)[number]): Promise<Subject> {
    const pair = await memoryPair({
      server: { perMessageDeflate: deflate },
      client: { perMessageDeflate: deflate },
    })
    return role === 'server'
      ? new Subject(pair.socket, pair.client, pair.serverEnd)
      : new Subject(pair.client, pair.socket, pair.clientEnd)
  }

  close(): void {
    this.model.isOpen = false
    this.member.close(1000)
    // A stalled member would never answer.
    this.end.release()
  }
}

function described(text: string, binary: boolean): string {
  return `${binary ? 'bytes' : 'text'} ${text}`
}

/** Text that is different for each message, and that names its sender. */
function textOf(mark: string, count: number): string {
  return `${mark} ${'lorem ipsum '.repeat(Math.ceil(count / 12)).slice(0, count)}`
}

class Run {
  readonly hub = new Hub()
  readonly subjects: Subject[]
  readonly counts = { broadcasts: 0, delivered: 0, skipped: 0 }
  #sent = 0

  constructor(subjects: Subject[]) {
    this.subjects = subjects
  }

  async take(step: Step): Promise<void> {
    // A tick does not belong to a member.
    const subject = this.subjects[step.who ?? 0]!
    const { member, model, end } = subject
    switch (step.do) {
      case 'add':
        this.#group(step).add(member)
        if (member.readyState !== 3) model.groups.add(step.group)
        break
      case 'delete':
        expect(this.#group(step).delete(member)).toBe(model.groups.delete(step.group))
        break
      case 'leave':
        this.hub.leaveAll(member)
        model.groups.clear()
        break
      case 'broadcast':
        this.#broadcast(step)
        break
      case 'send':
        this.#send(step, subject)
        break
      case 'blob':
        if (model.isOpen) {
          const text = this.#text(step, String(step.who))
          member.send(new Blob([text]))
          model.send(text, true, true)
        }
        break
      case 'ping':
        member.ping('ping')
        break
      case 'stall':
        if (model.isOpen) end.stall()
        break
      case 'release':
        end.release()
        break
      case 'close':
        subject.close()
        break
      default:
        await this.#tick()
    }
  }

  /** Closes all members after what was sent to them, and compares what arrived. */
  async finish(): Promise<void> {
    for (const subject of this.subjects) {
      if (subject.model.isOpen) this.#send({ length: 3, binary: false, compress: true, fin: true }, subject)
      subject.close()
    }
    await this.#tick()
    for (const { received, model, member } of this.subjects) {
      // As one string, because comparing two long lists takes long.
      expect(received.join('\n') === model.expected.join('\n') || [received, model.expected]).toBe(true)
      // As in WHATWG's standard, what was not sent before the close still counts.
      if (!model.holdsBack) expect(member.bufferedAmount).toBe(0)
    }
    expect(this.hub.stats()).toEqual({ groups: 0, members: 0, ...this.counts })
  }

  #group({ group: index }: Step): Group {
    return this.hub.group(`group ${index}`)
  }

  #text({ length: count }: Pick<Step, 'length'>, mark: string): string {
    return textOf(`${mark}#${this.#sent++}`, count)
  }

  #broadcast(step: Step): void {
    const text = this.#text(step, 'all')
    const spared = new Set(step.except)
    const counts = { delivered: 0, skipped: 0 }
    for (const [index, { model }] of this.subjects.entries()) {
      if (!model.groups.has(step.group) || spared.has(index)) continue
      if (model.isOpen) model.broadcast(text, step.binary)
      counts[model.isOpen ? 'delivered' : 'skipped']++
    }
    const members = step.except.map((index) => this.subjects[index]!.member)
    const except = members.length === 1 ? members[0] : new Set(members)
    const { binary, compress } = step
    const data = binary ? Buffer.from(text) : text
    expect(this.#group(step).broadcast(data, { except, binary, compress })).toEqual(counts)
    this.counts.broadcasts++
    this.counts.delivered += counts.delivered
    this.counts.skipped += counts.skipped
  }

  #send(step: Pick<Step, 'length' | 'binary' | 'compress' | 'fin'>, { member, model }: Subject): void {
    if (!model.isOpen) return
    const text = this.#text(step, String(this.subjects.findIndex((subject) => subject.member === member)))
    const { binary, compress, fin } = step
    member.send(text, { binary, compress, fin })
    model.send(text, binary, fin)
  }

  /** Waits until all closing members have closed, and so have left. */
  async #tick(): Promise<void> {
    await settled()
    for (const { model, closed } of this.subjects) {
      if (model.isOpen) continue
      await closed
      model.groups.clear()
    }
  }
}

test('sends each member in order exactly what a naive hub would send', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const run = new Run(await Promise.all(KINDS.map((kind) => Subject.open(kind))))
      for (const subject of run.subjects.slice(0, 6)) {
        run.hub.group('group 0').add(subject.member)
        subject.model.groups.add(0)
      }
      for (const step of sequence) await run.take(step as Step)
      await run.finish()
    }),
    { numRuns: runs(60), interruptAfterTimeLimit: runs(20_000), markInterruptAsFailure: false },
  )
})
