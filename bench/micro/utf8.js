import { isUtf8 } from 'node:buffer'
import { Utf8Validator } from 'hubwire/protocol'
import { wsIsValidUtf8 } from './contenders.js'
import { repeated } from './repeated.js'

/** hubwire validates text as it arrives and stops at the first invalid byte; the others need the whole text. */
const validator = new Utf8Validator()

const TEXTS = [
  { alphabet: 'ASCII', sample: 'the quick brown fox jumps over the lazy dog ' },
  { alphabet: 'Greek', sample: 'ξεσκεπάζω την ψυχοφθόρα βδελυγμία ' },
]

/** @type {import('./subject.js').Subject} */
export const utf8 = {
  title: 'UTF-8 validated',
  cases: TEXTS.flatMap(({ alphabet, sample }) =>
    [16, 64, 1024, 64 * 1024].map((length) => {
      const text = wholeCharacters(Buffer.from(sample.repeat(Math.ceil(length / sample.length))), length)
      const times = Math.max(1, Math.floor((16 * 1024) / length))
      return {
        name: `${text.length} bytes, ${alphabet}`,
        times,
        contenders: {
          hubwire: repeated(times, () => validator.push(text, 0, text.length)),
          ws: repeated(times, () => wsIsValidUtf8(text)),
          'node:buffer': repeated(times, () => isUtf8(text)),
        },
      }
    }),
  ),
}

/**
 * The longest prefix of at most `length` bytes that does not end within a character.
 *
 * @param {Buffer} bytes
 * @param {number} length
 */
function wholeCharacters(bytes, length) {
  let end = length
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}
