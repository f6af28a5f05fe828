import { header, MAX_ENTRIES, type SendingNode } from './control.js'
import { HEADER_LENGTH, Kind } from './envelope.js'
import { FieldReader, type FieldWriter } from './fields.js'
import { isPresenceText, type Presence } from './presence.js'

/** Bytes of a member besides its text: its number, and the length of the text. */
const MEMBER_HEAD = 8
/** Bytes of the number of a member that left. */
const LEFT_LENGTH = 6
/** Bytes of a record of a state besides its members. */
const RECORD_HEAD = 11

/** Changes of a group. They apply to what is known of the version before. */
export interface PresenceDelta {
  /** The version before; 0 if nobody was present. */
  readonly previous: number
  readonly version: number
  readonly joined: readonly Presence[]
  readonly left: readonly number[]
}

/** Asks who is present in groups. */
export interface PresenceQuery {
  readonly number: number
  /** The groups by their keys, with the version that is known; 0 if nobody is known to be present. */
  readonly groups: readonly { readonly key: string; readonly version: number }[]
}

/** Members of a group. A long list is several records, of which only the last is the end. */
export interface PresenceRecord {
  /** The place of the group in the query. */
  readonly index: number
  readonly version: number
  readonly isEnd: boolean
  readonly members: readonly Presence[]
}

/** A part of the answer to a query. */
export interface PresenceState {
  /** That of the query. */
  readonly number: number
  /** Counts the parts of the answer, from 0. */
  readonly part: number
  /** In the last part how many groups the answer covers, else 0. Those without a record have the version of the query. */
  readonly covered: number
  readonly records: readonly PresenceRecord[]
}

/** Members of a group, in front of the reply to a request. */
export interface PresenceList {
  /** That of the request. */
  readonly id: number
  readonly members: readonly Presence[]
}

export function encodeDelta(sender: SendingNode, { previous, version, joined, left }: PresenceDelta): Buffer {
  const fields = header(Kind.presence, sender).u48(previous).u48(version).u16(left.length)
  for (const id of left) fields.u48(id)
  return writeMembers(fields, joined).finish()
}

export function decodeDelta(bytes: Buffer): PresenceDelta | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const previous = fields.u48()
  const version = fields.u48()
  const leftCount = fields.u16()
  const left: number[] = []
  for (let index = 0; index < leftCount && fields.isValid; index++) left.push(fields.u48())
  const joined = readMembers(fields)
  const isSound = joined !== undefined && previous < version && joined.length + left.length > 0
  return isSound && fields.isComplete ? { previous, version, joined, left } : undefined
}

export function encodePresenceQuery(sender: SendingNode, { number, groups }: PresenceQuery): Buffer {
  const fields = header(Kind.presenceQuery, sender).u32(number).u16(groups.length)
  for (const { key, version } of groups) fields.text(key).u48(version)
  return fields.finish()
}

export function decodePresenceQuery(bytes: Buffer): PresenceQuery | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const number = fields.u32()
  const count = fields.u16()
  const groups: { key: string; version: number }[] = []
  for (let index = 0; index < count && fields.isValid; index++) {
    groups.push({ key: fields.text(), version: fields.u48() })
  }
  return fields.isComplete && count > 0 && count <= MAX_ENTRIES ? { number, groups } : undefined
}

export function encodeState(sender: SendingNode, { number, part, covered, records }: PresenceState): Buffer {
  const fields = header(Kind.presenceState, sender).u32(number).u32(part).u16(covered).u16(records.length)
  for (const { index, version, isEnd, members } of records) {
    writeMembers(
      fields
        .u16(index)
        .u48(version)
        .u8(isEnd ? 1 : 0),
      members,
    )
  }
  return fields.finish()
}

export function decodeState(bytes: Buffer): PresenceState | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const number = fields.u32()
  const part = fields.u32()
  const covered = fields.u16()
  const count = fields.u16()
  const records: PresenceRecord[] = []
  for (let place = 0; place < count && fields.isValid; place++) {
    const index = fields.u16()
    const version = fields.u48()
    const end = fields.u8()
    const members = readMembers(fields)
    // A list without members has no version, because nothing can be missing in it.
    if (members === undefined || end > 1 || (version === 0) !== (members.length === 0)) return undefined
    records.push({ index, version, isEnd: end === 1, members })
  }
  return fields.isComplete ? { number, part, covered, records } : undefined
}

export function encodeList(sender: SendingNode, { id, members }: PresenceList): Buffer {
  return writeMembers(header(Kind.presenceList, sender).u32(id), members).finish()
}

export function decodeList(bytes: Buffer): PresenceList | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const id = fields.u32()
  const members = readMembers(fields)
  return members !== undefined && fields.isComplete ? { id, members } : undefined
}

/** Divides changes into those that fit into envelopes, those who came first: so only the last can leave nobody. */
export function splitChanges(
  joined: readonly Presence[],
  left: readonly number[],
  limit: number,
): { joined: Presence[]; left: number[] }[] {
  const parts: { joined: Presence[]; left: number[] }[] = []
  let room = 0
  const partFor = (length: number): { joined: Presence[]; left: number[] } => {
    if (parts.length === 0 || room < length) {
      parts.push({ joined: [], left: [] })
      room = limit
    }
    room -= length
    return parts.at(-1)!
  }
  for (const member of joined) partFor(lengthOf(member)).joined.push(member)
  for (const id of left) partFor(LEFT_LENGTH).left.push(id)
  return parts
}

/** Divides members into lists that fit into envelopes. */
export function splitMembers(members: Iterable<Presence>, limit: number): Presence[][] {
  return splitChanges([...members], [], limit).map(({ joined }) => joined)
}

/** Collects the records of an answer in parts that fit into envelopes. */
export class RecordPacker {
  readonly parts: PresenceRecord[][] = [[]]
  /** The bytes of all parts. */
  length = 0
  readonly #limit: number
  #room: number

  constructor(limit: number) {
    this.#limit = limit
    this.#room = limit
  }

  add(index: number, version: number, members: readonly Presence[]): void {
    let start = 0
    do {
      const [end, length] = this.#fitting(members, start)
      this.parts.at(-1)!.push({
        index,
        version,
        isEnd: end === members.length,
        members: members.slice(start, end),
      })
      this.#room -= length
      this.length += length
      start = end
    } while (start < members.length)
  }

  /** Where the members end that fit into the part, with their bytes. Begins another part if none does. */
  #fitting(members: readonly Presence[], start: number): [end: number, length: number] {
    let length = RECORD_HEAD + (start < members.length ? lengthOf(members[start]!) : 0)
    if (this.#room < length && this.parts.at(-1)!.length > 0) {
      this.parts.push([])
      this.#room = this.#limit
    }
    let end = Math.min(start + 1, members.length)
    while (end < members.length && length + lengthOf(members[end]!) <= this.#room) {
      length += lengthOf(members[end++]!)
    }
    return [end, length]
  }
}

function lengthOf({ text }: Presence): number {
  return MEMBER_HEAD + Buffer.byteLength(text)
}

function writeMembers(fields: FieldWriter, members: readonly Presence[]): FieldWriter {
  fields.u16(members.length)
  for (const { id, text } of members) fields.u48(id).text(text)
  return fields
}

/** `undefined` unless each member is described by JSON that is not too long. */
function readMembers(fields: FieldReader): Presence[] | undefined {
  const count = fields.u16()
  const members: Presence[] = []
  for (let index = 0; index < count && fields.isValid; index++) {
    const member = { id: fields.u48(), text: fields.text() }
    if (!fields.isValid || !isPresenceText(member.text)) return undefined
    members.push(member)
  }
  return fields.isValid ? members : undefined
}
