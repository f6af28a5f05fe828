import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'
import { FLUSH_TAIL, ZlibStream } from '../support/zlib-peer.js'
import type { DeflateAgreement } from './negotiation.js'

/**
 * The harness's end of permessage-deflate. It inflates with exactly the window and context that were agreed, so
 * that it detects a peer that exceeds them.
 */
export class MessageDeflate {
  readonly #agreement: DeflateAgreement
  readonly #deflate: ZlibStream | undefined
  readonly #inflate: ZlibStream | undefined

  constructor(agreement: DeflateAgreement) {
    const { ours, peers } = agreement
    this.#agreement = agreement
    if (!ours.noContextTakeover) {
      this.#deflate = new ZlibStream(createDeflateRaw({ windowBits: ours.maxWindowBits }))
    }
    if (!peers.noContextTakeover) {
      this.#inflate = new ZlibStream(createInflateRaw({ windowBits: peers.maxWindowBits }))
    }
  }

  async deflate(message: Buffer): Promise<Buffer> {
    const windowBits = this.#agreement.ours.maxWindowBits
    const whole = await (this.#deflate?.flush(message) ??
      deflateRawSync(message, { windowBits, finishFlush: constants.Z_SYNC_FLUSH }))
    return whole.subarray(0, whole.length - FLUSH_TAIL.length)
  }

  async inflate(payload: Buffer): Promise<Buffer> {
    const windowBits = this.#agreement.peers.maxWindowBits
    const whole = Buffer.concat([payload, FLUSH_TAIL])
    return (
      this.#inflate?.flush(whole) ??
      inflateRawSync(whole, { windowBits, finishFlush: constants.Z_SYNC_FLUSH })
    )
  }

  close(): void {
    this.#deflate?.close()
    this.#inflate?.close()
  }
}
