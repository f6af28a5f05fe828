import { describe } from '../options/describe.js'

/** Data that can be sent: text, bytes in any form, or (as in `ws`) a number, which is sent as text. */
export type Payload = string | number | ArrayBuffer | SharedArrayBuffer | ArrayBufferView

/**
 * Converts data to text or a Buffer. Bytes are not copied.
 *
 * @throws TypeError for anything else: a payload of the wrong type must not become uninitialised memory on the wire
 */
export function toPayload(data: unknown): string | Buffer {
  if (typeof data === 'string' || Buffer.isBuffer(data)) return data
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer)
    return Buffer.from(data as ArrayBuffer)
  if (typeof data === 'number') return String(data)
  throw new TypeError(
    `A payload is a string, a Buffer, an ArrayBuffer, a view of one or a Blob; ${describe(data)} is not. ` +
      'Use JSON.stringify for an object',
  )
}

/** Whether data becomes a binary message unless the application chooses: all but text and numbers do. */
export function isBinaryByDefault(data: unknown): boolean {
  return typeof data !== 'string' && typeof data !== 'number'
}

/** Only the bytes of a view, which may be a part of a larger memory. */
export function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
