import type { HeartbeatEntry, NodeHeartbeat } from './counters.js'
import { Flag, HEADER_LENGTH, Kind, writeHeader } from './envelope.js'
import { FieldReader, type FieldWriter } from './fields.js'

/** The most groups in one envelope. */
export const MAX_ENTRIES = 1000

const HEARTBEAT_FLAGS = Flag.droppedByLimit | Flag.droppedOffline | Flag.final | Flag.presence

/** The node that sends an envelope. */
export interface SendingNode {
  readonly id: string
  readonly epoch: number
}

/** A part of a heartbeat. */
export interface HeartbeatPart extends NodeHeartbeat {
  /** The parts that are still to come. */
  readonly remaining: number
}

/** Asks what the last numbers of groups are, by their keys. */
export interface Query {
  /** Which of the sender's recoveries it belongs to. */
  readonly recovery: number
  readonly part: number
  readonly keys: readonly string[]
}

/** The last numbers of the groups of a query, 0 for those that the sender does not publish to. */
export interface Positions {
  readonly recovery: number
  readonly part: number
  readonly tops: readonly number[]
}

/** A request of one node to another. */
export type Question =
  | { readonly ask: 'count'; readonly key: string }
  | { readonly ask: 'close'; readonly key: string; readonly code: number; readonly reason: string }
  | { readonly ask: 'describe' }
  | { readonly ask: 'members'; readonly key: string }

/** How a node describes itself. */
export interface Description {
  readonly host: string
  readonly pid: number
  readonly groups: number
  readonly members: number
}

export interface Request {
  readonly id: number
  readonly question: Question
}

export interface Reply {
  readonly id: number
  /** Members counted, closed or listed. */
  readonly count: number
  readonly description: Description
}

const ASKS = ['count', 'close', 'describe', 'members'] as const

/** Begins an envelope. */
export const header = (kind: Kind, { id, epoch }: SendingNode): FieldWriter => writeHeader(kind, id, epoch)

/** A message that contains only its sender. */
export function encodeBare(kind: typeof Kind.bye | typeof Kind.probe, sender: SendingNode): Buffer {
  return header(kind, sender).finish()
}

/** One envelope, or several when there are many groups. */
export function encodeHeartbeat(sender: SendingNode, { number, previous, entries }: NodeHeartbeat): Buffer[] {
  const parts = Math.max(1, Math.ceil(entries.length / MAX_ENTRIES))
  return Array.from({ length: parts }, (_, part) => {
    const mine = entries.slice(part * MAX_ENTRIES, (part + 1) * MAX_ENTRIES)
    const fields = header(Kind.heartbeat, sender).u32(number).u32(previous)
    fields.u16(parts - 1 - part).u16(mine.length)
    for (const { key, base, top, flags } of mine) fields.text(key).u48(base).u48(top).u8(flags)
    return fields.finish()
  })
}

export function decodeHeartbeat(bytes: Buffer): HeartbeatPart | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const number = fields.u32()
  const previous = fields.u32()
  const remaining = fields.u16()
  const count = fields.u16()
  const entries: HeartbeatEntry[] = []
  let isSound = previous < number && count <= MAX_ENTRIES
  for (let index = 0; index < count && fields.isValid && isSound; index++) {
    const entry = { key: fields.text(), base: fields.u48(), top: fields.u48(), flags: fields.u8() }
    isSound = entry.base <= entry.top && (entry.flags & ~HEARTBEAT_FLAGS) === 0
    entries.push(entry)
  }
  return isSound && fields.isComplete ? { number, previous, remaining, entries } : undefined
}

export function encodeQuery(sender: SendingNode, { recovery, part, keys }: Query): Buffer {
  const fields = header(Kind.query, sender).u32(recovery).u16(part).u16(keys.length)
  for (const key of keys) fields.text(key)
  return fields.finish()
}

export function decodeQuery(bytes: Buffer): Query | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const recovery = fields.u32()
  const part = fields.u16()
  const count = fields.u16()
  const keys: string[] = []
  for (let index = 0; index < count && fields.isValid; index++) keys.push(fields.text())
  return fields.isComplete && count <= MAX_ENTRIES ? { recovery, part, keys } : undefined
}

export function encodePositions(sender: SendingNode, { recovery, part, tops }: Positions): Buffer {
  const fields = header(Kind.positions, sender).u32(recovery).u16(part).u16(tops.length)
  for (const top of tops) fields.u48(top)
  return fields.finish()
}

export function decodePositions(bytes: Buffer): Positions | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const recovery = fields.u32()
  const part = fields.u16()
  const count = fields.u16()
  const tops: number[] = []
  for (let index = 0; index < count && fields.isValid; index++) tops.push(fields.u48())
  return fields.isComplete && count <= MAX_ENTRIES ? { recovery, part, tops } : undefined
}

export function encodeRequest(sender: SendingNode, { id, question }: Request): Buffer {
  const fields = header(Kind.request, sender).u32(id).u8(ASKS.indexOf(question.ask))
  if (question.ask !== 'describe') fields.text(question.key)
  if (question.ask === 'close') fields.u16(question.code).text(question.reason)
  return fields.finish()
}

export function decodeRequest(bytes: Buffer): Request | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const id = fields.u32()
  const ask = ASKS[fields.u8()]
  let question: Question = { ask: 'describe' }
  if (ask === 'count' || ask === 'members') question = { ask, key: fields.text() }
  else if (ask === 'close') question = { ask, key: fields.text(), code: fields.u16(), reason: fields.text() }
  return fields.isComplete && ask !== undefined ? { id, question } : undefined
}

export function encodeReply(sender: SendingNode, { id, count, description }: Reply): Buffer {
  const { host, pid, groups, members } = description
  return header(Kind.reply, sender).u32(id).u32(count).text(host).u32(pid).u32(groups).u32(members).finish()
}

export function decodeReply(bytes: Buffer): Reply | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const id = fields.u32()
  const count = fields.u32()
  const host = fields.text()
  const description = { host, pid: fields.u32(), groups: fields.u32(), members: fields.u32() }
  return fields.isComplete ? { id, count, description } : undefined
}
