import { isUtf8 } from 'node:buffer'
import { NODE_ID_LENGTH, type RelayedMessage } from './envelope.js'
import { FieldReader, FieldWriter } from './fields.js'

/** The format of what a hub appends to a history: other versions are refused. */
const PAYLOAD_VERSION = 1
const BINARY = 1
const COMPRESS = 2

/** A message as it stands in a history, and who published it. */
export interface HistoryPayload extends RelayedMessage {
  /** The id of the node. */
  readonly node: string
  /** Counts what the node has published to histories. */
  readonly serial: number
}

export function encodePayload({ node, serial, payload, isBinary, compress }: HistoryPayload): Buffer {
  const head = new FieldWriter()
    .u8(PAYLOAD_VERSION)
    .u8((isBinary ? BINARY : 0) | (compress ? COMPRESS : 0))
    .bytes(Buffer.from(node, 'hex'))
    .u48(serial)
    .finish()
  return Buffer.concat([head, payload])
}

/** `undefined` for what is malformed, longer than `maxPayload`, or of another version. */
export function decodePayload(bytes: Buffer, maxPayload: number): HistoryPayload | undefined {
  const fields = new FieldReader(bytes)
  const version = fields.u8()
  const flags = fields.u8()
  const node = fields.bytes(NODE_ID_LENGTH).toString('hex')
  const serial = fields.u48()
  const payload = bytes.subarray(fields.offset)
  const isBinary = (flags & BINARY) !== 0
  const isSound =
    fields.isValid &&
    version === PAYLOAD_VERSION &&
    flags <= (BINARY | COMPRESS) &&
    payload.length <= maxPayload &&
    (isBinary || isUtf8(payload))
  return isSound ? { node, serial, payload, isBinary, compress: (flags & COMPRESS) !== 0 } : undefined
}
