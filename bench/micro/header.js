import { Opcode, writeHeader } from 'hubwire/protocol'
import { wsSender } from './contenders.js'

const TIMES = 1000

/**
 * The header of a server's frame. ws allocates a Buffer for each; hubwire writes it into the buffer of the frame.
 *
 * @type {import('./subject.js').Subject}
 */
export const headerEncoding = {
  title: 'Header, encoded',
  cases: [64, 1024, 70_000].map((length) => {
    const slab = Buffer.alloc(16)
    const payload = Buffer.alloc(length)
    const options = { fin: true, opcode: Opcode.binary, mask: false }
    return {
      name: `payload of ${length} bytes`,
      times: TIMES,
      contenders: {
        hubwire: () => {
          for (let i = 0; i < TIMES; i++) writeHeader(slab, 0, 0x80 | Opcode.binary, length, false)
        },
        ws: () => {
          for (let i = 0; i < TIMES; i++) wsSender.frame(payload, options)
        },
      },
    }
  }),
}
