import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'
import type { DeflateRaw, InflateRaw } from 'node:zlib'
import type { DeflateAgreement } from './negotiation.js'

/** What a sync flush ends with: left out on the wire (RFC 7692 section 7.2.1). */
const tail = Buffer.of(0x00, 0x00, 0xff, 0xff)

/** One zlib stream for the life of a connection, with its window kept from message to message. */
class ContextTakeover {
  readonly #stream: DeflateRaw | InflateRaw
  #parts: Buffer[] = []

  constructor(stream: DeflateRaw | InflateRaw) {
    this.#stream = stream
    stream.on('data', (part: Buffer) => {
      this.#parts.push(part)
    })
  }

  run(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject)
      this.#stream.write(bytes)
      this.#stream.flush(constants.Z_SYNC_FLUSH, () => {
        this.#stream.off('error', reject)
        const whole = Buffer.concat(this.#parts)
        this.#parts = []
        resolve(whole)
      })
    })
  }

  close(): void {
    this.#stream.close()
  }
}

/**
 * The harness's end of permessage-deflate. It inflates with exactly the window and the context that were agreed, so
 * that a peer which exceeds them is found out.
 */
export class MessageDeflate {
  readonly #agreement: DeflateAgreement
  readonly #deflate: ContextTakeover | undefined
  readonly #inflate: ContextTakeover | undefined

  constructor(agreement: DeflateAgreement) {
    const { ours, peers } = agreement
    this.#agreement = agreement
    if (!ours.noContextTakeover) {
      this.#deflate = new ContextTakeover(createDeflateRaw({ windowBits: ours.maxWindowBits }))
    }
    if (!peers.noContextTakeover) {
      this.#inflate = new ContextTakeover(createInflateRaw({ windowBits: peers.maxWindowBits }))
    }
  }

  async deflate(message: Buffer): Promise<Buffer> {
    const windowBits = this.#agreement.ours.maxWindowBits
    const whole = await (this.#deflate?.run(message) ??
      deflateRawSync(message, { windowBits, finishFlush: constants.Z_SYNC_FLUSH }))
    return whole.subarray(0, whole.length - tail.length)
  }

  async inflate(payload: Buffer): Promise<Buffer> {
    const windowBits = this.#agreement.peers.maxWindowBits
    const whole = Buffer.concat([payload, tail])
    return (
      this.#inflate?.run(whole) ?? inflateRawSync(whole, { windowBits, finishFlush: constants.Z_SYNC_FLUSH })
    )
  }

  close(): void {
    this.#deflate?.close()
    this.#inflate?.close()
  }
}
