/** The opcodes of RFC 6455 section 5.2; those with bit 3 set are control frames. */
export const Opcode = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const

/** The final-fragment bit in the first byte of a frame. */
export const FIN = 0x80

/** The first reserved bit: set by permessage-deflate on a compressed message's first frame (RFC 7692 section 6). */
export const RSV1 = 0x40
