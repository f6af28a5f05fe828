import { Decoder, type DecoderOptions } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { octetsOf } from '#src/protocol/recent-text.js'
import { RecordingSink } from '../support/recording-sink.js'
import { clientFrame as encoded } from '../support/paused-client.js'

/** What is known of each text while the sink has it. */
function knownWhile(chunks: Buffer[], options: Partial<DecoderOptions> = {}): (Buffer | undefined)[] {
  const known: (Buffer | undefined)[] = []
  const sink = new RecordingSink((found) => {
    if ('text' in found) known.push(octetsOf(found.text as string))
  })
  const decoder = new Decoder(sink, { from: 'client', ...options })
  for (const chunk of chunks) decoder.push(chunk)
  expect(sink.errors).toEqual([])
  for (const found of sink.found) if ('text' in found) expect(octetsOf(found.text as string)).toBeUndefined()
  return known
}

/** In memory of its own, as what a socket reads is, and not in Node's pool. */
function clientFrame(...parts: Parameters<typeof encoded>): Buffer {
  return Buffer.from(new Uint8Array(encoded(...parts)).buffer)
}

const ascii = 'long '.repeat(2000)
const greek = 'μακρύς '.repeat(2000)

describe('the octets of the text that was decoded last', () => {
  test.each([
    ['ASCII', ascii],
    ['other text', greek],
  ])('are known while its chunk is handled: %s', (_name, text) => {
    const chunk = clientFrame('text', text)
    const [octets] = knownWhile([chunk])
    expect(octets).toEqual(Buffer.from(text))
    // Nothing is copied for it.
    expect(octets!.buffer).toBe(chunk.buffer)
  })

  test('are those of the whole where it came in pieces', () => {
    const frames = [clientFrame('text', ascii, false), clientFrame('continuation', greek)]
    const octets = Buffer.concat(frames)
    expect(knownWhile([octets.subarray(0, 9000), octets.subarray(9000)])).toEqual([
      Buffer.from(ascii + greek),
    ])
  })

  test('are another text’s as soon as that is decoded', () => {
    expect(knownWhile([Buffer.concat([clientFrame('text', ascii), clientFrame('text', greek)])])).toEqual([
      Buffer.from(ascii),
      Buffer.from(greek),
    ])
  })

  test('are not kept of short texts, nor of a little in a large memory', () => {
    expect(knownWhile([clientFrame('text', 'short')])).toEqual([undefined])
    const large = Buffer.alloc(64 * 1024)
    const frame = clientFrame('text', 'x'.repeat(10_000))
    frame.copy(large)
    expect(knownWhile([large.subarray(0, frame.length)])).toEqual([undefined])
  })

  test('are not those of text that was not validated, which may be another', () => {
    const invalid = Buffer.alloc(10_000, 0xff)
    expect(knownWhile([clientFrame('text', invalid)], { skipUTF8Validation: true })).toEqual([undefined])
  })

  test('are not those of another text of that length', () => {
    const sink = new RecordingSink(() => {
      expect(octetsOf('x'.repeat(ascii.length))).toBeUndefined()
      expect(octetsOf('')).toBeUndefined()
    })
    new Decoder(sink, { from: 'client' }).push(clientFrame('text', ascii))
    expect(sink.found).toHaveLength(1)
  })
})
