import { opcode, type RawFrame } from '../support/raw-frame.js'
import type { Exchange } from './corpus.js'
import type { DeflateRequest } from './negotiation.js'

/** Bytes as written in a table: text, bytes, or a pattern repeated up to a length, which is expanded only when sent. */
export type Payload = string | Buffer | { readonly pattern: Payload; readonly length: number }

export function bytesOf(payload: Payload): Buffer {
  if (typeof payload === 'string') return Buffer.from(payload)
  return Buffer.isBuffer(payload) ? payload : Buffer.alloc(payload.length, bytesOf(payload.pattern))
}

export function filled(pattern: Payload, length: number): Payload {
  return { pattern, length }
}

export function hex(bytes: string): Buffer {
  return Buffer.from(bytes.replaceAll(' ', ''), 'hex')
}

// Steps

export interface FrameStep {
  readonly kind: 'frame'
  readonly opcode: number
  readonly payload: Payload
  readonly fin: boolean
  readonly rsv: number
}

export type Step =
  | FrameStep
  | { readonly kind: 'pieces'; readonly size: number | 'frame'; readonly frames: readonly FrameStep[] }
  | { readonly kind: 'await'; readonly event: ExpectedEvent }
  | { readonly kind: 'fail-fast'; readonly frames: readonly FrameStep[]; readonly cuts: readonly number[] }
  | { readonly kind: 'round-trips'; readonly exchange: Exchange; readonly fragmentSize: number }

type Flags = Partial<Pick<RawFrame, 'fin' | 'rsv'>>

export function frame(code: number, payload: Payload = '', { fin = true, rsv = 0 }: Flags = {}): FrameStep {
  return {
    kind: 'frame',
    opcode: code,
    payload,
    fin,
    rsv,
  }
}

export function text(payload: Payload, flags?: Flags): FrameStep {
  return frame(opcode.text, payload, flags)
}

export function binary(payload: Payload, flags?: Flags): FrameStep {
  return frame(opcode.binary, payload, flags)
}

export function continuation(payload: Payload, flags?: Flags): FrameStep {
  return frame(opcode.continuation, payload, flags)
}

export function ping(payload: Payload = '', flags?: Flags): FrameStep {
  return frame(opcode.ping, payload, flags)
}

export function pong(payload: Payload = '', flags?: Flags): FrameStep {
  return frame(opcode.pong, payload, flags)
}

export function close(code?: number, reason: Payload = ''): FrameStep {
  const status = Buffer.alloc(code === undefined ? 0 : 2)
  if (code !== undefined) status.writeUInt16BE(code)
  return frame(opcode.close, Buffer.concat([status, bytesOf(reason)]))
}

/** A message in frames of at most `size` bytes. */
export function inFragments(size: number, message: FrameStep): FrameStep[] {
  const bytes = bytesOf(message.payload)
  const count = Math.max(1, Math.ceil(bytes.length / size))
  return Array.from({ length: count }, (_, index) => ({
    ...message,
    opcode: index === 0 ? message.opcode : opcode.continuation,
    rsv: index === 0 ? message.rsv : 0,
    fin: index === count - 1,
    payload: bytes.subarray(index * size, (index + 1) * size),
  }))
}

/** Frames concatenated and written in pieces of `size` bytes, each of which arrives separately. */
export function inPiecesOf(size: number, ...frames: FrameStep[]): Step {
  return { kind: 'pieces', size, frames }
}

export function bytewise(...frames: FrameStep[]): Step {
  return inPiecesOf(1, ...frames)
}

/** Each frame arrives separately. */
export function framewise(...frames: FrameStep[]): Step {
  return { kind: 'pieces', size: 'frame', frames }
}

/** Nothing more is sent before this has arrived. */
export function awaiting(event: ExpectedEvent): Step {
  return { kind: 'await', event }
}

/**
 * Three frames of which the second makes the message invalid: the peer must accept the first, and must fail the
 * connection before the third is sent.
 */
export function failFast(accepted: FrameStep, wrong: FrameStep, withheld: FrameStep): Step {
  return {
    kind: 'fail-fast',
    frames: [accepted, wrong, withheld],
    cuts: [],
  }
}

/** The same within one frame, cut after the first `accepted` and the first `wrong` bytes of its payload. */
export function failFastWithin(whole: FrameStep, accepted: number, wrong: number): Step {
  return {
    kind: 'fail-fast',
    frames: [whole],
    cuts: [accepted, wrong],
  }
}

/** One message at a time, each awaited and compared before the next. */
export function roundTrips(exchange: Exchange, fragmentSize = 0): Step {
  return {
    kind: 'round-trips',
    exchange,
    fragmentSize,
  }
}

// Expected answers

export type ExpectedEvent =
  | { readonly kind: 'text' | 'binary' | 'pong'; readonly payload: Payload }
  /** The third part of a `failFast` had to be sent. */
  | { readonly kind: 'withheld part sent' }

export function textMessage(payload: Payload): ExpectedEvent {
  return { kind: 'text', payload }
}

export function binaryMessage(payload: Payload): ExpectedEvent {
  return { kind: 'binary', payload }
}

export function pongOf(payload: Payload): ExpectedEvent {
  return { kind: 'pong', payload }
}

export interface Expectation {
  /** Exactly these, in this order, over the whole life of the connection. */
  readonly events: readonly ExpectedEvent[]
  /** Tolerated instead, as NON-STRICT. */
  readonly tolerated?: readonly ExpectedEvent[]
  /** Who begins the closing handshake. */
  readonly closedBy: 'us' | 'peer'
  /** The status codes that the peer's Close frame may have. */
  readonly codes: readonly number[]
  /** A Close frame from the peer is required: dropping the connection is not enough. */
  readonly clean: boolean
  /** With this verdict on its closing, the case as a whole has failed. */
  readonly fatal?: 'WRONG CODE' | 'FAILED'
  readonly informational?: boolean
}

/** The events arrive, then we close and the peer answers. */
export function answered(...events: ExpectedEvent[]): Expectation {
  return {
    events,
    closedBy: 'us',
    codes: [1000],
    clean: true,
  }
}

/** The peer fails the connection with this status or by dropping it, after these events. */
export function failure(code: number, ...events: ExpectedEvent[]): Expectation {
  return {
    events,
    ...(events.length > 0 && { tolerated: [] }),
    closedBy: 'peer',
    codes: [code],
    clean: false,
  }
}

/** Only the end of the closing handshake that the steps began. */
export function closed(...codes: number[]): Expectation {
  return {
    events: [],
    closedBy: 'us',
    codes,
    clean: true,
    fatal: 'WRONG CODE',
  }
}

/** What follows the Close frame that the steps sent is an error, so the connection may be dropped as well. */
export function refused(...codes: number[]): Expectation {
  return { ...closed(...codes), clean: false }
}

export interface ConformanceCase {
  /** The number in Autobahn's published list. */
  readonly id: string
  readonly about: string
  readonly steps: readonly Step[]
  readonly expect: Expectation
  /** Negotiates permessage-deflate with the first of these that the peer accepts. */
  readonly deflate?: readonly DeflateRequest[]
  /** Part of the full run only. */
  readonly heavy?: boolean
}

export interface Section {
  readonly title: string
  readonly cases: readonly ConformanceCase[]
}
