import { constants, inflateRawSync } from 'node:zlib'
import { openConnections } from './connection.js'

/**
 * Servers may compress the same message differently. This sends one message and compares the inflated answer; the bytes
 * of that answer are then expected of all others.
 *
 * @param {number} port
 * @param {import('./batch.js').Batch} batch
 * @returns {Promise<Buffer>} the frame that answers one message
 */
export async function probe(port, batch) {
  const [connection] = await openConnections({ port, count: 1, compressed: true })
  if (!connection) throw new Error('no connection')
  const frame = await new Promise((/** @type {(frame: Buffer) => void} */ resolve) => {
    let received = Buffer.alloc(0)
    connection.receive = (size, bytes) => {
      received = Buffer.concat([received, bytes.subarray(0, size)])
      if (isWhole(received)) resolve(received)
    }
    connection.socket.write(batch.request.subarray(0, batch.requestFrame))
  })
  connection.end()
  if (!payloadOf(frame).equals(batch.message))
    throw new Error('the inflated answer differs from what was sent')
  return frame
}

/** @param {Buffer} frame */
function isWhole(frame) {
  return frame.length >= 4 && frame.length === headerLength(frame) + payloadLength(frame)
}

/** @param {Buffer} frame of less than 64 KiB, not masked */
function headerLength(frame) {
  return frame.readUInt8(1) === 126 ? 4 : 2
}

/** @param {Buffer} frame */
function payloadLength(frame) {
  return frame.readUInt8(1) === 126 ? frame.readUInt16BE(2) : frame.readUInt8(1)
}

/** @param {Buffer} frame */
function payloadOf(frame) {
  const compressed = (frame.readUInt8(0) & 0x40) !== 0
  if (!compressed) throw new Error('the answer is not compressed')
  return inflateRawSync(frame.subarray(headerLength(frame)), { finishFlush: constants.Z_SYNC_FLUSH })
}
