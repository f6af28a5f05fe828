import { constants, deflateRawSync } from 'node:zlib'

/**
 * @typedef {object} BatchShape
 * @property {number} payload bytes of one message before compression
 * @property {number} inFlight messages in the batch
 * @property {boolean} binary
 * @property {boolean} compressed
 */

/**
 * @typedef {object} Batch
 * @property {Buffer} request masked frames in a row
 * @property {Buffer} answer the same messages in unmasked frames, as a server sends them
 * @property {number} requestFrame bytes of one frame of the request
 * @property {number} answerFrame bytes of one frame of the answer
 * @property {Buffer} message the first message, not compressed
 */

const MASKING_KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

/**
 * Prepares everything that is sent during a measurement, so that sending costs one write and receiving one addition.
 * The frames of a batch have the same length and, unless compressed, different contents, so that answers in the wrong
 * order are noticed.
 *
 * @param {BatchShape} shape
 * @returns {Batch}
 */
export function prepareBatch(shape) {
  const messages = Array.from({ length: shape.inFlight }, (_, index) => message(shape, index))
  const payloads = shape.compressed ? messages.map(deflateWhole) : messages
  const first = (shape.compressed ? 0xc0 : 0x80) | (shape.binary ? 2 : 1)
  const requests = payloads.map((payload) => frame(first, payload, true))
  const answers = payloads.map((payload) => frame(first, payload, false))
  return {
    request: Buffer.concat(requests),
    answer: Buffer.concat(answers),
    requestFrame: requests[0]?.length ?? 0,
    answerFrame: answers[0]?.length ?? 0,
    message: messages[0] ?? Buffer.alloc(0),
  }
}

/**
 * @param {BatchShape} shape
 * @param {number} index
 */
function message(shape, index) {
  if (shape.compressed) return jsonOf(shape.payload)
  const data = Buffer.allocUnsafe(shape.payload)
  for (let i = 0; i < data.length; i++) data[i] = 97 + ((i + index) % 26)
  return data
}

/**
 * JSON records in a row, cut off at the length. wsload sends the same.
 *
 * @param {number} length
 */
export function jsonOf(length) {
  let text = ''
  for (let i = 0; text.length < length; i++) {
    const price = `${100 + ((i * 13) % 97)}.${String((i * 31) % 100).padStart(2, '0')}`
    text += `{"id":${1000 + i * 7},"price":${price},"side":"${i % 3 ? 'buy' : 'sell'}"},`
  }
  return Buffer.from(text.slice(0, length))
}

/**
 * One message deflated from an empty window, without the four bytes 00 00 ff ff (RFC 7692 section 7.2.1).
 *
 * @param {Buffer} data
 */
function deflateWhole(data) {
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

/**
 * One frame.
 *
 * @param {number} first the first byte: FIN, RSV1 and opcode
 * @param {Buffer} payload
 * @param {boolean} masked
 */
export function frame(first, payload, masked) {
  const header = headerOf(first, payload.length, masked ? 0x80 : 0)
  if (!masked) return Buffer.concat([header, payload])
  const scrambled = Buffer.from(payload)
  for (let i = 0; i < scrambled.length; i++) scrambled[i] = (payload[i] ?? 0) ^ (MASKING_KEY[i & 3] ?? 0)
  return Buffer.concat([header, MASKING_KEY, scrambled])
}

/**
 * RFC 6455 section 5.2: the length in its shortest form.
 *
 * @param {number} first
 * @param {number} length
 * @param {number} maskBit
 */
function headerOf(first, length, maskBit) {
  if (length < 126) return Buffer.from([first, maskBit | length])
  if (length < 65536) return Buffer.from([first, maskBit | 126, length >> 8, length & 255])
  const header = Buffer.alloc(10)
  header[0] = first
  header[1] = maskBit | 127
  header.writeBigUInt64BE(BigInt(length), 2)
  return header
}
