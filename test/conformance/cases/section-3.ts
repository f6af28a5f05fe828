import { binary, failure, frame, framewise, hex, bytewise, ping, text, textMessage } from '../vocabulary.js'
import type { Section } from '../vocabulary.js'
import { opcode } from '../../support/raw-frame.js'

// No extension is negotiated here, so that no reserved bit has a meaning (RFC 6455 section 5.2).
const hello = 'fair wind'
const afterText = failure(1002, textMessage(hello))

export const reservedBits: Section = {
  title: '3 Reserved bits',
  cases: [
    { id: '3.1', about: 'text with RSV 1', steps: [text(hello, { rsv: 1 })], expect: failure(1002) },
    {
      id: '3.2',
      about: 'text, text with RSV 2, ping',
      steps: [text(hello), text(hello, { rsv: 2 }), ping()],
      expect: afterText,
    },
    {
      id: '3.3',
      about: 'text, text with RSV 3, ping, frame by frame',
      steps: [framewise(text(hello), text(hello, { rsv: 3 }), ping())],
      expect: afterText,
    },
    {
      id: '3.4',
      about: 'text, text with RSV 4, ping, byte by byte',
      steps: [bytewise(text(hello), text(hello, { rsv: 4 }), ping())],
      expect: afterText,
    },
    {
      id: '3.5',
      about: 'binary with RSV 5',
      steps: [binary(hex('00 ff fe fd fc fb 00 ff'), { rsv: 5 })],
      expect: failure(1002),
    },
    { id: '3.6', about: 'binary with RSV 6', steps: [binary(hello, { rsv: 6 })], expect: failure(1002) },
    {
      id: '3.7',
      about: 'close with RSV 7',
      steps: [frame(opcode.close, '', { rsv: 7 })],
      expect: failure(1002),
    },
  ],
}
