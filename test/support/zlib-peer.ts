import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib'
import { onTestFinished } from 'vitest'

/** The end of a sync flush, which a message leaves out (RFC 7692 section 7.2.1). */
export const FLUSH_TAIL: Buffer = Buffer.of(0x00, 0x00, 0xff, 0xff)

/** One direction of permessage-deflate with context takeover as other libraries do it: a zlib stream per connection. */
export class ZlibStream {
  readonly #stream: DeflateRaw | InflateRaw
  readonly #parts: Buffer[] = []

  constructor(stream: DeflateRaw | InflateRaw) {
    this.#stream = stream
    stream.on('data', (part: Buffer) => this.#parts.push(part))
  }

  flush(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject)
      this.#stream.write(bytes)
      this.#stream.flush(constants.Z_SYNC_FLUSH, () => {
        this.#stream.off('error', reject)
        resolve(Buffer.concat(this.#parts.splice(0)))
      })
    })
  }

  close(): void {
    this.#stream.close()
  }
}

function endWithTest(stream: ZlibStream): ZlibStream {
  onTestFinished(() => {
    stream.close()
  })
  return stream
}

/** A peer that compresses. */
export class DeflatingPeer {
  readonly #stream: ZlibStream

  constructor(windowBits: number) {
    this.#stream = endWithTest(new ZlibStream(createDeflateRaw({ windowBits })))
  }

  async compress(message: Buffer): Promise<Buffer> {
    const flushed = await this.#stream.flush(message)
    return flushed.subarray(0, flushed.length - FLUSH_TAIL.length)
  }
}

/** A peer that decompresses with exactly the window that it announced. */
export class InflatingPeer {
  readonly #stream: ZlibStream

  constructor(windowBits: number) {
    this.#stream = endWithTest(new ZlibStream(createInflateRaw({ windowBits })))
  }

  decompress(message: Buffer): Promise<Buffer> {
    return this.#stream.flush(Buffer.concat([message, FLUSH_TAIL]))
  }
}
