import type { Socket } from 'node:net'
import { ignore } from '../../options/ignore.js'

/**
 * What workers and the router of their primary send each other: frames of a length in four bytes, a kind in one, and what
 * belongs to the kind. A channel is preceded by its length in two bytes.
 */

export const FrameKind = {
  /** A channel and bytes: to the router to publish them, from the router to deliver them. */
  message: 1,
  /** A channel. */
  subscribe: 2,
  /** A channel. */
  unsubscribe: 3,
  /** A number, which the router sends back when it has done what came before. */
  sync: 4,
} as const

export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

const HEAD_LENGTH = 5
const CHANNEL_HEAD_LENGTH = 2

/** Longer frames are not sent, and end a connection. */
const MAX_FRAME_LENGTH = 256 * 1024 * 1024

const NOTHING = Buffer.alloc(0)

function head(kind: FrameKind, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_LENGTH)
  bytes.writeUInt32BE(length, 0)
  bytes.writeUInt8(kind, 4)
  return bytes
}

/** A frame of a channel and bytes. */
export function encodeChannelFrame(kind: FrameKind, channel: string, payload: Buffer = NOTHING): Buffer {
  const name = Buffer.from(channel)
  const nameLength = Buffer.allocUnsafe(CHANNEL_HEAD_LENGTH)
  nameLength.writeUInt16BE(name.length, 0)
  const length = CHANNEL_HEAD_LENGTH + name.length + payload.length
  return Buffer.concat([head(kind, length), nameLength, name, payload])
}

export function encodeSync(id: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(id, 0)
  return Buffer.concat([head(FrameKind.sync, bytes.length), bytes])
}

export interface FrameSink {
  onChannel(kind: Exclude<FrameKind, typeof FrameKind.sync>, channel: string, payload: Buffer): void
  onSync(id: number): void
}

/** Reads frames from chunks of any size. */
export class FrameReader {
  readonly #sink: FrameSink
  #chunks: Buffer[] = []
  #length = 0
  #needed = HEAD_LENGTH

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** @throws Error when the bytes are no frames */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    if (this.#length < this.#needed) return
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#length)
    this.#needed = HEAD_LENGTH
    while (bytes.length >= HEAD_LENGTH) {
      const end = HEAD_LENGTH + bytes.readUInt32BE(0)
      if (end > MAX_FRAME_LENGTH) throw new Error(`A frame of ${end} bytes is too long`)
      if (bytes.length < end) {
        this.#needed = end
        break
      }
      this.#take(bytes.readUInt8(4), bytes.subarray(HEAD_LENGTH, end))
      bytes = bytes.subarray(end)
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes]
    this.#length = bytes.length
  }

  #take(kind: number, body: Buffer): void {
    if (kind === FrameKind.sync) {
      this.#sink.onSync(body.readUInt32BE(0))
      return
    }
    if (kind !== FrameKind.message && kind !== FrameKind.subscribe && kind !== FrameKind.unsubscribe) {
      throw new Error(`A frame has the unknown kind ${kind}`)
    }
    const start = CHANNEL_HEAD_LENGTH + body.readUInt16BE(0)
    this.#sink.onChannel(kind, body.toString('utf8', CHANNEL_HEAD_LENGTH, start), body.subarray(start))
  }
}

/** Reads the frames of a socket, which closes when it fails or when its bytes are no frames. */
export function readFrames(socket: Socket, sink: FrameSink): void {
  const reader = new FrameReader(sink)
  socket.on('data', (chunk: Buffer) => {
    try {
      reader.push(chunk)
    } catch {
      socket.destroy()
    }
  })
  socket.on('error', ignore)
}
