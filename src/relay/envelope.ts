import { FieldReader, FieldWriter } from './fields.js'

/**
 * The messages between nodes. Every envelope begins with `hw`, the version, its kind, the 8 bytes of the node's id and
 * its epoch.
 */
export const Kind = {
  /** Messages of a group, on the channel of the group. */
  batch: 1,
  /** The last sequence numbers of the groups published to, to all nodes. */
  heartbeat: 2,
  /** The node leaves, to all nodes. */
  bye: 3,
  /** Returns to its sender, on a separate channel. */
  probe: 4,
  /** Asks for the last sequence numbers of groups. */
  query: 5,
  /** Answers a query. */
  positions: 6,
  /** Asks to count, to close or to describe oneself. */
  request: 7,
  /** Answers a request. */
  reply: 8,
  /** Who came to a group and who left it, on the channel of the group. */
  presence: 9,
  /** Asks who is present in groups, unless that is known. */
  presenceQuery: 10,
  /** Answers a query of presence. */
  presenceState: 11,
  /** The members of a group, in front of the reply to a request. */
  presenceList: 12,
} as const

export type Kind = (typeof Kind)[keyof typeof Kind]

/** The sender of an envelope. */
export interface Header {
  readonly kind: number
  /** The node's id, in hexadecimal digits. */
  readonly node: string
  /** Grows when the node has forgotten its sequence numbers. */
  readonly epoch: number
}

const MAGIC = 0x6877
const ENVELOPE_VERSION = 1
export const NODE_ID_LENGTH = 8
export const HEADER_LENGTH = 16

/** The flags of a batch, and of a group in a heartbeat. */
export const Flag = {
  /** The first message ever of this node to this group, or the first after it has forgotten the group. */
  start: 1,
  /** Messages were dropped because too many were unanswered. */
  droppedByLimit: 2,
  /** Messages stayed local, or may be lost, because the connection was. */
  droppedOffline: 4,
  /** In a heartbeat: nothing more will follow, and the numbers may be forgotten. */
  final: 8,
  /** In a heartbeat: `top` is the version of a group's presence, and `base` the number of those present. */
  presence: 16,
} as const

const BATCH_FLAGS = Flag.start | Flag.droppedByLimit | Flag.droppedOffline

/** One message of a batch: its bytes, and how they are to be sent. */
export interface RelayedMessage {
  readonly payload: Buffer
  readonly isBinary: boolean
  readonly compress: boolean
}

/** Messages of a group in the order in which one node published them. */
export interface Batch {
  /** The sequence number of the first. */
  readonly first: number
  readonly flags: number
  readonly count: number
  /** Empty when only the numbers were kept. */
  readonly messages: readonly RelayedMessage[]
}

const BINARY = 0x80000000
const COMPRESS = 0x40000000
const LENGTH = 0x3fffffff

/** Bytes of a batch before its messages: flags, first sequence number and count. */
const BATCH_FIELDS = 1 + 6 + 2
/** The most messages in a batch. */
export const MAX_COUNT = 0xffff
/** The bytes of a batch that contain its sender and its numbers. */
export const BATCH_HEAD: number = HEADER_LENGTH + BATCH_FIELDS

export function writeHeader(kind: Kind, node: string, epoch: number): FieldWriter {
  return new FieldWriter().u16(MAGIC).u8(ENVELOPE_VERSION).u8(kind).bytes(Buffer.from(node, 'hex')).u32(epoch)
}

/** `undefined` if this is not an envelope, or one of another version. */
export function readHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < HEADER_LENGTH || bytes.readUInt16BE(0) !== MAGIC || bytes[2] !== ENVELOPE_VERSION)
    return undefined
  return {
    kind: bytes[3]!,
    node: bytes.toString('hex', 4, 4 + NODE_ID_LENGTH),
    epoch: bytes.readUInt32BE(12),
  }
}

export function encodeBatch(
  node: string,
  epoch: number,
  { first, flags, messages }: Omit<Batch, 'count'>,
): Buffer {
  let length = BATCH_HEAD
  for (const { payload } of messages) length += 4 + payload.length
  const head = writeHeader(Kind.batch, node, epoch).u8(flags).u48(first).u16(messages.length).finish()
  const bytes = Buffer.allocUnsafe(length)
  bytes.set(head)
  let offset = BATCH_HEAD
  for (const { payload, isBinary, compress } of messages) {
    const word = payload.length + (isBinary ? BINARY : 0) + (compress ? COMPRESS : 0)
    offset = bytes.writeUInt32BE(word, offset)
    bytes.set(payload, offset)
    offset += payload.length
  }
  return bytes
}

/** Reads what follows the header. `undefined` unless every field is present and in its range, and nothing is left. */
export function decodeBatch(bytes: Buffer): Batch | undefined {
  const head = readBatchHead(bytes)
  if (head === undefined) return undefined
  const fields = new FieldReader(bytes, BATCH_HEAD)
  const messages: RelayedMessage[] = []
  for (let index = 0; index < head.count && fields.isValid; index++) {
    const word = fields.u32()
    messages.push({
      payload: fields.bytes(word & LENGTH),
      isBinary: word >= BINARY,
      compress: (word & COMPRESS) !== 0,
    })
  }
  return fields.isComplete ? { ...head, messages } : undefined
}

/** Only the sequence numbers of a batch, for one whose messages were dropped. */
export function readBatchHead(bytes: Buffer): Batch | undefined {
  const fields = new FieldReader(bytes, HEADER_LENGTH)
  const flags = fields.u8()
  const first = fields.u48()
  const count = fields.u16()
  const isValid =
    fields.isValid &&
    (flags & ~BATCH_FLAGS) === 0 &&
    count > 0 &&
    first > 0 &&
    first + count <= 2 ** 48 &&
    ((flags & Flag.start) !== 0) === (first === 1)
  return isValid ? { first, flags, count, messages: [] } : undefined
}
