import { mask } from 'hubwire/protocol'
import { bufferutilUnmask, wsUnmask } from './contenders.js'
import { repeated } from './repeated.js'

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
const KEY_NUMBER = KEY.readInt32LE()

/** @type {import('./subject.js').Subject} */
export const unmasking = {
  title: 'Unmasked in place',
  cases: [16, 64, 256, 1024, 16 * 1024, 1024 * 1024].map((length) => {
    const octets = Buffer.alloc(length, 'a')
    const times = Math.max(1, Math.floor((64 * 1024) / length))
    return {
      name: `${length} octets`,
      times,
      contenders: {
        hubwire: repeated(times, () => mask(octets, 0, length, KEY_NUMBER)),
        ws: repeated(times, () => wsUnmask(octets, KEY)),
        bufferutil: repeated(times, () => bufferutilUnmask(octets, KEY)),
      },
    }
  }),
}
