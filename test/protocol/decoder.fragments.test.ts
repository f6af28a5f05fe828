import { Decoder, Opcode } from 'hubwire/protocol'
import { expect, test } from 'vitest'
import { inChunks } from '../support/chunks.js'
import { clientFrame } from '../support/frame-octets.js'
import { RecordingSink } from '../support/recording-sink.js'

const threeFragments = Buffer.concat([
  clientFrame({ opcode: Opcode.text, payload: 'one ', fin: false }),
  clientFrame({ opcode: Opcode.continuation, payload: 'two ', fin: false }),
  clientFrame({ opcode: Opcode.continuation, payload: 'three' }),
])

// 0x00 is the first octet of a continuation that does not end its message: a state must not mistake it for "none".
test.each([1, 2, 3, 7, 12])('a message in three fragments arrives in chunks of %d octets', (size) => {
  const sink = new RecordingSink()
  const decoder = new Decoder(sink, { from: 'client' })
  for (const chunk of inChunks(threeFragments, [size])) decoder.push(chunk)
  expect(sink.found).toEqual([{ text: 'one two three' }])
})
