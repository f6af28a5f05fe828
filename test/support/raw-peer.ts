import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { turn } from './event-loop.js'
import { frameBytes, FrameReader, type RawFrame, type ReceivedFrame } from './raw-frame.js'

/** One end of an open WebSocket connection that sends any bytes, valid or not, and reports the frames that it receives. */
export class RawPeer {
  readonly #socket: Socket
  readonly #masks: boolean
  readonly #reader = new FrameReader()
  readonly #frames: ReceivedFrame[] = []
  #waiting: ((frame: ReceivedFrame | undefined) => void) | undefined
  #ended = false

  /**
   * @param socket - connected, after the opening handshake
   * @param role - a client masks its frames, a server does not
   * @param head - bytes that arrived together with the handshake
   */
  constructor(socket: Socket, role: 'client' | 'server', head: Buffer = Buffer.alloc(0)) {
    this.#socket = socket
    this.#masks = role === 'client'
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#accept(chunk)
    })
    const end = (): void => {
      this.#ended = true
      this.#waiting?.(undefined)
    }
    // A reset ends the connection like a FIN. The test decides what it means.
    socket.on('error', end).on('end', end).on('close', end)
    this.#accept(head)
    socket.resume()
  }

  /** Whether the peer has ended its direction of the connection, by FIN or reset. */
  get ended(): boolean {
    return this.#ended
  }

  encode(frame: RawFrame): Buffer {
    return frameBytes({ ...frame, key: this.#masks ? randomBytes(4) : undefined })
  }

  write(bytes: Buffer): void {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(bytes)
  }

  /** Writes pieces of `size` bytes, each of which arrives as a separate chunk. */
  async writeInPieces(bytes: Buffer, size: number): Promise<void> {
    for (let start = 0; start < bytes.length && !this.#ended; start += size) {
      this.write(bytes.subarray(start, start + size))
      await turn()
    }
  }

  /** Resolves to the next frame, or to undefined once the peer has ended the connection and all frames have been taken. */
  next(): Promise<ReceivedFrame | undefined> {
    const frame = this.#frames.shift()
    if (frame !== undefined || this.#ended) return Promise.resolve(frame)
    return new Promise((resolve) => {
      this.#waiting = (received) => {
        this.#waiting = undefined
        resolve(received)
      }
    })
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Ends the connection by RST. */
  reset(): void {
    this.#socket.resetAndDestroy()
  }

  #accept(chunk: Buffer): void {
    this.#frames.push(...this.#reader.push(chunk))
    const frame = this.#waiting === undefined ? undefined : this.#frames.shift()
    if (frame !== undefined) this.#waiting?.(frame)
  }
}
