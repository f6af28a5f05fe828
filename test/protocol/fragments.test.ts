import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { detach, Fragments } from '#src/protocol/fragments.js'
import { heldBytes } from '../support/garbage-collection.js'
import { noise } from '../support/sample-messages.js'
import { runs } from '../support/runs.js'

const KIBIBYTE = 1024

describe('detach', () => {
  test.each([
    ['a few bytes of a read buffer', 100, 64 * KIBIBYTE],
    ['nothing of a read buffer', 0, 64 * KIBIBYTE],
    ['less than a quarter of a read buffer', 16 * KIBIBYTE - 1, 64 * KIBIBYTE],
    ['4 KiB of 64', 4 * KIBIBYTE, 64 * KIBIBYTE],
  ])('copies %s', (_name, length, size) => {
    const memory = Buffer.from(noise(size).buffer)
    const detached = detach(memory, 7, 7 + length)
    expect(detached.buffer).not.toBe(memory.buffer)
    expect(detached.equals(memory.subarray(7, 7 + length))).toBe(true)
  })

  test.each([
    ['most of a read buffer', 64 * KIBIBYTE - 14, 64 * KIBIBYTE],
    ['a quarter of a read buffer', 16 * KIBIBYTE, 64 * KIBIBYTE],
  ])('views %s', (_name, length, size) => {
    const memory = Buffer.from(noise(size).buffer)
    const detached = detach(memory, 14, 14 + length)
    expect(detached.buffer).toBe(memory.buffer)
    expect(detached.equals(memory.subarray(14, 14 + length))).toBe(true)
  })
})

/** A piece of a message: so many bytes of a memory of such a size. */
type Piece = readonly [length: number, memory: number]

function filled(pieces: readonly Piece[]): Fragments {
  const fragments = new Fragments()
  for (const [length, memory] of pieces) fragments.add(Buffer.from(new ArrayBuffer(memory)), 0, length)
  return fragments
}

/** How much memory the fragments keep alive. */
async function heldBy(pieces: readonly Piece[]): Promise<{ counted: number; held: number }> {
  const before = await heldBytes()
  const fragments = filled(pieces)
  return { held: (await heldBytes()) - before, counted: fragments.length }
}

/** What a segment that has just begun and Node's pools of small Buffers may add. */
const SLACK = 128 * KIBIBYTE

// Faults: ws CVE-2026-48779 and undici CVE-2026-12151. Each piece stands in memory of its own, as chunks do.
describe('holds at most about twice the payload for', () => {
  const READ = 64 * KIBIBYTE

  test.each<[string, number, readonly Piece[]]>([
    ['single bytes', 4000, [[1, READ]]],
    ['4 KiB of a read buffer', 300, [[4 * KIBIBYTE, READ]]],
    ['a little less than half of a read buffer', 100, [[32 * KIBIBYTE - 1, READ]]],
    ['half of a read buffer', 100, [[32 * KIBIBYTE, READ]]],
    ['whole chunks of 4 KiB', 500, [[4 * KIBIBYTE, 4 * KIBIBYTE]]],
    ['whole chunks a little shorter', 500, [[4 * KIBIBYTE - 1, 4 * KIBIBYTE - 1]]],
    [
      'a byte before each chunk of 4 KiB',
      500,
      [
        [1, READ],
        [4 * KIBIBYTE, 4 * KIBIBYTE],
      ],
    ],
    [
      '100 bytes before each half of a read buffer',
      100,
      [
        [100, READ],
        [32 * KIBIBYTE, READ],
      ],
    ],
    [
      'chunks of 8 KiB, of 3 KiB and of a byte',
      200,
      [
        [8192, 8192],
        [3072, 3072],
        [1, 1],
      ],
    ],
    ['one long piece of a longer memory', 1, [[1024 * KIBIBYTE, 4096 * KIBIBYTE]]],
    [
      'a byte behind a long piece',
      1,
      [
        [2048 * KIBIBYTE, 2048 * KIBIBYTE],
        [1, READ],
      ],
    ],
  ])('%s', async (_name, times, pieces) => {
    const { counted, held } = await heldBy(Array.from({ length: times }, () => pieces).flat())
    expect(counted).toBe(times * pieces.reduce((sum, [length]) => sum + length, 0))
    expect(held).toBeLessThan(2 * counted + SLACK)
  })

  test('any mix of pieces', async () => {
    const length = fc.oneof(fc.nat(300), fc.integer({ min: 3000, max: 5000 }), fc.nat(READ))
    const piece = fc
      .tuple(length, fc.constantFrom(0, 1, 1000, READ))
      .map(([length, more]): Piece => [length, length + more])
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 8 }),
        fc.integer({ min: 1, max: 40 }),
        async (mix, times) => {
          const { counted, held } = await heldBy(Array.from({ length: times }, () => mix).flat())
          expect(held).toBeLessThan(2 * counted + SLACK)
        },
      ),
      { numRuns: runs(20) },
    )
  })
})

describe('the buffer for the whole message', () => {
  const READ = 64 * KIBIBYTE

  test('is not allocated before half of the message has arrived', () => {
    const fragments = new Fragments()
    fragments.add(Buffer.alloc(READ), 0, READ)
    expect(fragments.reserve(READ, 1)).toBeUndefined()
    expect(fragments.length).toBe(READ)
  })

  test('has the exact length and contains all pieces', () => {
    const fragments = new Fragments()
    const first = noise(READ, 1)
    const rest = noise(READ, 2)
    fragments.add(first, 0, READ)
    const begun = fragments.reserve(READ / 2, READ / 2)
    expect(begun).toMatchObject({ offset: READ })
    rest.copy(begun!.memory, begun!.offset, 0, READ / 2)
    const ended = fragments.reserve(READ / 2, 0)
    expect(ended).toEqual({ memory: begun!.memory, offset: READ + READ / 2 })
    rest.copy(ended!.memory, ended!.offset, READ / 2)
    expect(fragments.length).toBe(2 * READ)
    const whole = fragments.take()
    expect(whole.buffer).toBe(begun!.memory.buffer)
    expect(whole.buffer.byteLength).toBe(2 * READ)
    expect(whole.equals(Buffer.concat([first, rest]))).toBe(true)
  })
})

describe('Fragments', () => {
  test('joins no pieces to an empty payload', () => {
    expect(new Fragments().take()).toEqual(Buffer.alloc(0))
    expect(new Fragments().length).toBe(0)
  })

  test('joins any pieces to the payload', () => {
    const length = fc.oneof(fc.nat(20), fc.nat(700), fc.integer({ min: 4000, max: 9000 }))
    const piece = fc.tuple(length, fc.nat(5000), fc.constantFrom(0, 1, 10_000))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12, size: 'max' }), (pieces) => {
        const fragments = new Fragments()
        const expected: Buffer[] = []
        for (const [length, margin, due] of pieces) {
          const memory = noise(margin + length, margin + 1)
          fragments.add(memory, margin, margin + length, due)
          expected.push(Buffer.from(memory.subarray(margin)))
          // What was copied is free for the next read; what is viewed belongs to the message.
          if (length < 4096) memory.fill(0)
        }
        const whole = Buffer.concat(expected)
        expect(fragments.length).toBe(whole.length)
        expect(fragments.take().equals(whole)).toBe(true)
      }),
    )
  })
})
