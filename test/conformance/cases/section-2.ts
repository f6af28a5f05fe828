import { answered, close, closed, failure, filled, hex, bytewise, ping, pong, pongOf } from '../vocabulary.js'
import type { Section } from '../vocabulary.js'

const binaryPayload = hex('00 ff fe fd fc fb 00 ff')
const longest = filled(Buffer.of(0xfe), 125)
const unsolicited = 'a pong nobody asked for'
const ten = Array.from({ length: 10 }, (_, index) => `ping number ${index}`)

export const pingsAndPongs: Section = {
  title: '2 Pings and pongs',
  cases: [
    { id: '2.1', about: 'empty ping', steps: [ping()], expect: answered(pongOf('')) },
    { id: '2.2', about: 'ping with text', steps: [ping('wire')], expect: answered(pongOf('wire')) },
    {
      id: '2.3',
      about: 'ping with bytes that are not UTF-8',
      steps: [ping(binaryPayload)],
      expect: answered(pongOf(binaryPayload)),
    },
    { id: '2.4', about: 'ping of 125 bytes', steps: [ping(longest)], expect: answered(pongOf(longest)) },
    {
      id: '2.5',
      about: 'ping of 126 bytes',
      steps: [ping(filled(Buffer.of(0xfe), 126))],
      expect: failure(1002),
    },
    {
      id: '2.6',
      about: 'ping of 125 bytes, byte by byte',
      steps: [bytewise(ping(longest))],
      expect: answered(pongOf(longest)),
    },
    {
      id: '2.7',
      about: 'empty pong that nobody asked for, then close',
      steps: [pong(), close(1000)],
      expect: closed(1000),
    },
    {
      id: '2.8',
      about: 'pong with payload that nobody asked for, then close',
      steps: [pong(unsolicited), close(1000)],
      expect: closed(1000),
    },
    {
      id: '2.9',
      about: 'pong that nobody asked for, then ping',
      steps: [pong(unsolicited), ping('answer this')],
      expect: answered(pongOf('answer this')),
    },
    {
      id: '2.10',
      about: 'ten pings at once',
      steps: ten.map((payload) => ping(payload)),
      expect: answered(...ten.map(pongOf)),
    },
    {
      id: '2.11',
      about: 'ten pings, byte by byte',
      steps: [bytewise(...ten.map((payload) => ping(payload)))],
      expect: answered(...ten.map(pongOf)),
    },
  ],
}
