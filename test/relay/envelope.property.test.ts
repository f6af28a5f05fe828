import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeHeartbeat,
  decodePositions,
  decodeQuery,
  decodeReply,
  decodeRequest,
  encodeBare,
  encodeHeartbeat,
  encodePositions,
  encodeQuery,
  encodeReply,
  encodeRequest,
  MAX_ENTRIES,
  type Question,
} from '#src/relay/control.js'
import {
  decodeDelta,
  decodeList,
  decodePresenceQuery,
  decodeState,
  encodeDelta,
  encodeList,
  encodePresenceQuery,
  encodeState,
} from '#src/relay/presence-envelopes.js'
import { decodeBatch, encodeBatch, Flag, Kind, readBatchHead, readHeader } from '#src/relay/envelope.js'
import { runs } from '../support/runs.js'

const u8 = fc.nat(0xff)
const u16 = fc.nat(0xffff)
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const text = fc.string({ unit: 'grapheme', maxLength: 60 })
const node = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const sender = fc.record({ id: node, epoch: u32 })
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))

const message = fc.record({ payload, isBinary: fc.boolean(), compress: fc.boolean() })
const drops = fc.constantFrom(0, Flag.droppedByLimit, Flag.droppedOffline)
const batch = fc
  .record({
    first: fc.integer({ min: 1, max: 2 ** 48 - 6 }),
    drops,
    messages: fc.array(message, { minLength: 1, maxLength: 5 }),
  })
  .map(({ first, drops, messages }) => ({
    first,
    flags: drops | (first === 1 ? Flag.start : 0),
    count: messages.length,
    messages,
  }))
const entry = fc
  .record({
    key: text,
    numbers: fc.tuple(u48, u48),
    flags: fc.constantFrom(0, Flag.final, Flag.droppedByLimit, Flag.presence),
  })
  .map(({ key, numbers, flags }) => ({ key, base: Math.min(...numbers), top: Math.max(...numbers), flags }))
const heartbeat = fc.record({
  number: fc.integer({ min: 6, max: 0xffffffff }),
  previous: fc.nat(5),
  entries: fc.array(entry, { maxLength: 8 }),
})
const query = fc.record({ recovery: u32, part: u16, keys: fc.array(text, { maxLength: 8 }) })
const positions = fc.record({ recovery: u32, part: u16, tops: fc.array(u48, { maxLength: 8 }) })
const question: fc.Arbitrary<Question> = fc.oneof(
  fc.record({ ask: fc.constant('count'), key: text }),
  fc.record({ ask: fc.constant('close'), key: text, code: u16, reason: text }),
  fc.record({ ask: fc.constant('describe') }),
  fc.record({ ask: fc.constant('members'), key: text }),
)
const request = fc.record({ id: u32, question })
const description = fc.record({ host: text, pid: u32, groups: u32, members: u32 })
const reply = fc.record({ id: u32, count: u32, description })
const present = fc.record({ id: u48, text: fc.json({ maxDepth: 1 }) })
const delta = fc.record({
  previous: fc.nat(1000),
  version: fc.integer({ min: 1001, max: 2 ** 48 - 1 }),
  joined: fc.array(present, { minLength: 1, maxLength: 5 }),
  left: fc.array(u48, { maxLength: 5 }),
})
const asked = fc.record({ key: text, version: u48 })
const presenceQuery = fc.record({ number: u32, groups: fc.array(asked, { minLength: 1, maxLength: 8 }) })
const record = fc
  .record({
    index: u16,
    version: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
    isEnd: fc.boolean(),
    members: fc.array(present, { maxLength: 4 }),
  })
  .map((one) => (one.members.length === 0 ? { ...one, version: 0 } : one))
const state = fc.record({ number: u32, part: u32, covered: u16, records: fc.array(record, { maxLength: 4 }) })
const list = fc.record({ id: u32, members: fc.array(present, { maxLength: 8 }) })

interface Codec {
  readonly kind: number
  readonly value: fc.Arbitrary<unknown>
  readonly encode: (who: { id: string; epoch: number }, value: unknown) => Buffer
  readonly decode: (bytes: Buffer) => unknown
}

/** Takes a codec with whatever it encodes. */
function codec<Value>(
  kind: number,
  value: fc.Arbitrary<Value>,
  encode: (who: { id: string; epoch: number }, value: Value) => Buffer,
  decode: (bytes: Buffer) => unknown,
): Codec {
  return { kind, value, encode: (who, given) => encode(who, given as Value), decode }
}

const codecs: Record<string, Codec> = {
  batch: codec(Kind.batch, batch, ({ id, epoch }, value) => encodeBatch(id, epoch, value), decodeBatch),
  heartbeat: codec(
    Kind.heartbeat,
    heartbeat.map((value) => ({ ...value, remaining: 0 })),
    (who, value) => encodeHeartbeat(who, value)[0]!,
    decodeHeartbeat,
  ),
  query: codec(Kind.query, query, encodeQuery, decodeQuery),
  positions: codec(Kind.positions, positions, encodePositions, decodePositions),
  request: codec(Kind.request, request, encodeRequest, decodeRequest),
  reply: codec(Kind.reply, reply, encodeReply, decodeReply),
  presence: codec(Kind.presence, delta, encodeDelta, decodeDelta),
  presenceQuery: codec(Kind.presenceQuery, presenceQuery, encodePresenceQuery, decodePresenceQuery),
  presenceState: codec(Kind.presenceState, state, encodeState, decodeState),
  presenceList: codec(Kind.presenceList, list, encodeList, decodeList),
}

describe.each(Object.entries(codecs))('an envelope of the kind %s', (_, { kind, value, encode, decode }) => {
  test('is read as it was written, with its sender', () => {
    fc.assert(
      fc.property(sender, value, (who, written) => {
        const bytes = encode(who, written)
        expect(readHeader(bytes)).toEqual({ kind, node: who.id, epoch: who.epoch })
        expect(decode(bytes)).toEqual(written)
      }),
      { numRuns: runs(200) },
    )
  })

  test('is refused if it is truncated at any byte, or has an additional one', () => {
    fc.assert(
      fc.property(sender, value, u8, (who, written, more) => {
        const bytes = encode(who, written)
        for (let length = 0; length < bytes.length; length++) {
          expect(decode(bytes.subarray(0, length)), `${length} of ${bytes.length} bytes`).toBeUndefined()
        }
        expect(decode(Buffer.concat([bytes, Buffer.from([more])]))).toBeUndefined()
      }),
      { numRuns: runs(30) },
    )
  })

  test('with any byte changed is read or refused, and never throws', () => {
    fc.assert(
      fc.property(sender, value, fc.nat(), u8, (who, written, position, byte) => {
        const bytes = encode(who, written)
        bytes[position % bytes.length] = byte
        const isSame = bytes.equals(encode(who, written))
        const read = decode(bytes)
        if (isSame) expect(read).toEqual(written)
      }),
      { numRuns: runs(300) },
    )
  })
})

describe('a header', () => {
  test.each([Kind.bye, Kind.probe])('is the whole envelope for kind %i without fields', (kind) => {
    const bytes = encodeBare(kind, { id: '0123456789abcdef', epoch: 7 })
    expect(readHeader(bytes)).toEqual({ kind, node: '0123456789abcdef', epoch: 7 })
    for (let length = 0; length < bytes.length; length++) {
      expect(readHeader(bytes.subarray(0, length))).toBeUndefined()
    }
  })

  test('is rejected for another version or magic number', () => {
    const bytes = encodeBare(Kind.bye, { id: '0123456789abcdef', epoch: 7 })
    for (let version = 0; version < 256; version++) {
      const other = Buffer.from(bytes)
      other[2] = version
      expect(readHeader(other) === undefined).toBe(version !== 1)
    }
    for (const position of [0, 1]) {
      const other = Buffer.from(bytes)
      other[position]! ^= 1
      expect(readHeader(other)).toBeUndefined()
    }
  })
})

describe('a batch', () => {
  const head = (first: number, flags: number, count: number): Buffer => {
    const bytes = encodeBatch('0123456789abcdef', 1, {
      first: 2,
      flags: 0,
      messages: [{ payload: Buffer.from('x'), isBinary: false, compress: true }],
    })
    bytes.writeUInt8(flags, 16)
    bytes.writeUIntBE(first, 17, 6)
    bytes.writeUInt16BE(count, 23)
    return bytes
  }

  test('is read by its head alone if its messages were dropped', () => {
    expect(readBatchHead(head(2, 0, 3).subarray(0, 25))).toEqual({
      first: 2,
      flags: 0,
      count: 3,
      messages: [],
    })
  })

  test.each([
    ['the number 0', head(0, 0, 1)],
    ['no message', head(2, 0, 0)],
    ['numbers beyond 2^48', head(2 ** 48 - 1, 0, 2)],
    ['a flag that there is not', head(2, 0x10, 1)],
    ['a flag of a heartbeat', head(2, Flag.final, 1)],
    ['a start that is not the number 1', head(2, Flag.start, 1)],
    ['the number 1 without a start', head(1, 0, 1)],
  ])('with %s is refused', (_, bytes) => {
    expect(readBatchHead(bytes)).toBeUndefined()
    expect(decodeBatch(bytes)).toBeUndefined()
  })

  test('that claims a message of 1 GiB is refused without allocating memory for it', () => {
    const bytes = head(2, 0, 1)
    bytes.writeUInt32BE(0x3fffffff, 25)
    expect(decodeBatch(bytes)).toBeUndefined()
  })
})

describe('a list', () => {
  const who = { id: '0123456789abcdef', epoch: 1 }

  test('of more than 1,000 groups is refused in a query and in an answer', () => {
    const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))
    const tops = (count: number): number[] => Array.from({ length: count }, () => 1)
    const fits = { recovery: 1, part: 0, keys: keys(MAX_ENTRIES) }
    expect(decodeQuery(encodeQuery(who, fits))).toEqual(fits)
    expect(decodeQuery(encodeQuery(who, { ...fits, keys: keys(MAX_ENTRIES + 1) }))).toBeUndefined()
    const answer = { recovery: 1, part: 0, tops: tops(MAX_ENTRIES) }
    expect(decodePositions(encodePositions(who, answer))).toEqual(answer)
    expect(decodePositions(encodePositions(who, { ...answer, tops: tops(MAX_ENTRIES + 1) }))).toBeUndefined()
  })

  test('of 2,500 groups makes a heartbeat of three parts, numbered downwards', () => {
    const entries = Array.from({ length: 2500 }, (_, index) => ({
      key: `group ${index}`,
      base: index,
      top: index + 1,
      flags: 0,
    }))
    const parts = encodeHeartbeat(who, { number: 9, previous: 8, entries }).map(decodeHeartbeat)
    expect(parts.map((part) => part?.remaining)).toEqual([2, 1, 0])
    expect(parts.flatMap((part) => part?.entries)).toEqual(entries)
    expect(new Set(parts.map((part) => `${part?.number} ${part?.previous}`))).toEqual(new Set(['9 8']))
  })

  test('of a heartbeat is refused if a number decreases, or a flag belongs to batches', () => {
    const beat = (number: number, previous: number, change: object): unknown => {
      const entry = { key: 'a', base: 1, top: 2, flags: 0, ...change }
      return decodeHeartbeat(encodeHeartbeat(who, { number, previous, entries: [entry] })[0]!)
    }
    expect(beat(2, 1, {})).toBeDefined()
    expect(beat(2, 2, {})).toBeUndefined()
    expect(beat(2, 1, { base: 3 })).toBeUndefined()
    expect(beat(2, 1, { flags: Flag.start })).toBeUndefined()
  })

  test('with a name that is not UTF-8 is refused', () => {
    const bytes = encodeQuery(who, { recovery: 1, part: 0, keys: ['a'] })
    bytes[bytes.length - 1] = 0xff
    expect(decodeQuery(bytes)).toBeUndefined()
  })

  test('of requests accepts only the known kinds', () => {
    const bytes = encodeRequest(who, { id: 1, question: { ask: 'describe' } })
    bytes[bytes.length - 1] = 4
    expect(decodeRequest(bytes)).toBeUndefined()
  })
})
