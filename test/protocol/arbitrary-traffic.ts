import fc from 'fast-check'
import { type FrameParts, frameBytes } from '../support/raw-frame.js'
import type { Found } from '../support/recording-sink.js'

/** A message as an application has it. */
export interface Message {
  readonly isText: boolean
  readonly payload: Buffer
}

/** A message on its way: where its payload is cut into fragments, and which control frames stand behind each. */
interface Sending extends Message {
  readonly cuts: readonly number[]
  readonly controls: readonly FrameParts[]
}

/** What one end sends, and what the other has to find. */
export interface Traffic {
  readonly sendings: readonly Sending[]
  readonly close: FrameParts | undefined
  readonly keys: readonly (readonly number[])[]
}

const characters = fc.constantFrom(
  'a',
  'z',
  ' ',
  '\u0000',
  'é',
  '\u07ff',
  '€',
  '\ufeff',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
)
const byte = fc.nat(255)
const bytes = (most: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength: most, size: 'max' }).map((array) => Buffer.from(array))

/** Short as most are, and now and then so long that the next form of the header is needed. */
const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: characters, maxLength: 60, size: 'max' }) },
  { weight: 3, arbitrary: fc.string({ maxLength: 60, size: 'max' }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.string({ unit: characters, maxLength: 9 }), fc.nat(9000))
      .map(([part, times]) => part.repeat(times)),
  },
)
const binary = fc.oneof(
  { weight: 9, arbitrary: bytes(150) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(bytes(9), fc.nat(9000))
      .map(([part, times]) => Buffer.alloc(part.length * times, part)),
  },
)
const message: fc.Arbitrary<Message> = fc.oneof(
  text.map((text) => ({ isText: true, payload: Buffer.from(text) })),
  binary.map((payload) => ({ isText: false, payload })),
)

const control: fc.Arbitrary<FrameParts> = fc.record({
  opcode: fc.constantFrom(9, 10),
  payload: fc.oneof(bytes(10), bytes(125)),
})

const sending: fc.Arbitrary<Sending> = fc
  .tuple(message, fc.array(fc.nat(200), { maxLength: 4 }), fc.array(control, { maxLength: 4 }))
  .map(([message, cuts, controls]) => ({ ...message, cuts, controls }))

const close: fc.Arbitrary<FrameParts> = fc
  .tuple(
    fc.constantFrom(1000, 1001, 1003, 1011, 3000, 4999),
    fc.string({ unit: characters, maxLength: 20, size: 'max' }),
  )
  .map(([code, reason]) => ({
    opcode: 8,
    payload: Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]),
  }))

/** Messages, however fragmented, with control frames between the fragments, and perhaps a Close at the end. */
export const arbitraryTraffic: fc.Arbitrary<Traffic> = fc.record({
  sendings: fc.array(sending, { maxLength: 6 }),
  close: fc.option(close, { nil: undefined }),
  keys: fc.array(fc.array(byte, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
})

/** The sizes of chunks, to be used in turn: small, large, and all between. */
export const arbitrarySizes: fc.Arbitrary<number[]> = fc.array(
  fc.oneof(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 1, max: 70_000 }),
  ),
  { minLength: 1, maxLength: 6 },
)

function opcodeOf(message: Message): number {
  return message.isText ? 1 : 2
}

/** The data frames of one message: one more than there are cuts. */
function fragments({ cuts, ...message }: Sending, payload: Buffer, rsv: number): FrameParts[] {
  const places = cuts.map((cut) => Math.min(cut, payload.length)).sort((one, other) => one - other)
  return [...places, payload.length].map((end, index) => ({
    opcode: index === 0 ? opcodeOf(message) : 0,
    payload: payload.subarray(places[index - 1] ?? 0, end),
    fin: index === places.length,
    rsv: index === 0 ? rsv : 0,
  }))
}

/**
 * The frames of traffic.
 *
 * @param compressed - what a message becomes on its way, where it is compressed
 */
export function framesOf(traffic: Traffic, compressed?: readonly Buffer[]): FrameParts[] {
  const frames = traffic.sendings.flatMap((sending, index) => {
    const payload = compressed?.[index]
    const data = fragments(sending, payload ?? sending.payload, payload === undefined ? 0 : 4)
    const rest = sending.controls.slice(data.length)
    return [...data.flatMap((frame, at) => [frame, ...sending.controls.slice(at, at + 1)]), ...rest]
  })
  return traffic.close === undefined ? frames : [...frames, traffic.close]
}

/** The bytes of frames, each masked with the next of the keys where a client sends them. */
export function bytesOf(
  frames: readonly FrameParts[],
  from: 'client' | 'server',
  keys: Traffic['keys'],
): Buffer {
  return Buffer.concat(
    frames.map((frame, index) =>
      frameBytes(from === 'client' ? { ...frame, key: keys[index % keys.length] } : frame),
    ),
  )
}

/** What the other end finds: a message comes when its last fragment does. */
export function expectedOf(traffic: Traffic): Found[] {
  const found = traffic.sendings.flatMap(({ isText, payload, cuts, controls }) => {
    const between = controls.slice(0, cuts.length).map(controlFound)
    const behind = controls.slice(cuts.length).map(controlFound)
    return [...between, isText ? { text: payload.toString() } : { binary: payload }, ...behind]
  })
  return traffic.close === undefined ? found : [...found, closeFound(traffic.close)]
}

function controlFound({ opcode, payload }: FrameParts): Found {
  return opcode === 9 ? { ping: payload as Buffer } : { pong: payload as Buffer }
}

function closeFound({ payload }: FrameParts): Found {
  const bytes = payload as Buffer
  return { close: [bytes.readUInt16BE(), bytes.subarray(2).toString()] }
}
