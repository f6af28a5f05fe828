import { mask } from 'hubwire/protocol'
import { bufferutilUnmask, wsUnmask } from './contenders.js'
import { repeated } from './repeated.js'

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
const KEY_NUMBER = KEY.readInt32LE()

/** @type {import('./subject.js').Subject} */
export const unmasking = {
  title: 'Unmasked in place',
  cases: [16, 64, 256, 1024, 16 * 1024, 1024 * 1024].map((length) => {
    const bytes = Buffer.alloc(length, 'a')
    const times = Math.max(1, Math.floor((64 * 1024) / length))
    return {
      name: `${length} bytes`,
      times,
      contenders: {
        hubwire: repeated(times, () => mask(bytes, 0, length, KEY_NUMBER)),
        ws: repeated(times, () => wsUnmask(bytes, KEY)),
        bufferutil: repeated(times, () => bufferutilUnmask(bytes, KEY)),
      },
    }
  }),
}
