import { FIN, Opcode } from './opcodes.js'

/**
 * Counts the data messages that end within unread bytes, by their frame headers alone: nothing is unmasked, inflated
 * or validated. Nothing after a Close frame counts.
 *
 * @param remaining - bytes at the beginning that belong to a frame whose header has been read
 * @param isLastFrame - whether that frame ends its message
 */
export function countUnreadMessages(bytes: Buffer, remaining: number, isLastFrame: boolean): number {
  let count = 0
  let offset = remaining
  let endsMessage = isLastFrame
  while (offset <= bytes.length) {
    if (endsMessage) count++
    if (bytes.length - offset < 2) break
    const first = bytes[offset]!
    const second = bytes[offset + 1]!
    if ((first & 0x0f) === Opcode.close) break
    const short = second & 0x7f
    const extension = short < 126 ? 0 : short === 126 ? 2 : 8
    const start = offset + 2 + extension + (second >= 0x80 ? 4 : 0)
    if (start > bytes.length) break
    offset = start + payloadLength(bytes, offset + 2, short)
    endsMessage = first >= FIN && (first & 0x08) === 0
  }
  return count
}

function payloadLength(bytes: Buffer, offset: number, short: number): number {
  if (short < 126) return short
  return short === 126 ? bytes.readUInt16BE(offset) : Number(bytes.readBigUInt64BE(offset))
}
