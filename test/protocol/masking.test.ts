import { mask } from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rotateKey, unmaskInto } from '#src/protocol/masking.js'
import { isCollected } from '../support/garbage-collection.js'
import { runs } from '../support/runs.js'

/** RFC 6455 section 5.3, to the letter. */
function naive(bytes: Uint8Array, key: readonly number[]): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ key[index % 4]!))
}

function toInteger(key: readonly number[]): number {
  return Buffer.from(key).readInt32LE()
}

/** `length` bytes in the midst of others; the memory ends wherever it does, on a word or not. */
function amongOthers(alignment: number, length: number, behind: number): Buffer {
  const memory = Buffer.from(new ArrayBuffer(alignment + length + behind))
  for (let index = 0; index < memory.length; index++) memory[index] = (index * 151 + 7) & 0xff
  return memory
}

const KEY = [0x37, 0xfa, 0x21, 0x3d]

describe('mask', () => {
  test('masks the example of RFC 6455 section 5.7', () => {
    const bytes = Buffer.from('Hello')
    mask(bytes, 0, 5, toInteger(KEY))
    expect(bytes.toString('hex')).toBe('7f9f4d5158')
  })

  test.each([
    ['from 0 to 200', 0, 200],
    ['around 1 KiB, where the loop changes, for two rounds of that loop', 1010, 1160],
  ])('masks every length %s at every alignment, and no byte outside', (_name, shortest, longest) => {
    const wrong = []
    for (let alignment = 0; alignment < 8; alignment++) {
      for (let length = shortest; length <= longest; length++) {
        for (const behind of [0, 1, 2, 3, 5]) {
          const memory = amongOthers(alignment, length, behind)
          const expected = Buffer.from(memory)
          expected.set(naive(memory.subarray(alignment, alignment + length), KEY), alignment)
          mask(memory, alignment, alignment + length, toInteger(KEY))
          if (!memory.equals(expected)) wrong.push({ alignment, length, behind })
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('masks any range of a view of any memory', () => {
    const key = fc.tuple(byte(), byte(), byte(), byte())
    const range = fc.tuple(fc.nat(70), fc.nat(70), fc.nat(3000), fc.nat(20))
    fc.assert(
      fc.property(key, range, (key, [before, start, length, behind]) => {
        const memory = amongOthers(before + start, length, behind)
        const expected = Buffer.from(memory)
        expected.set(naive(memory.subarray(before + start, before + start + length), key), before + start)
        mask(memory.subarray(before), start, start + length, toInteger(key))
        expect(memory.equals(expected)).toBe(true)
      }),
      { numRuns: runs(500) },
    )
  })

  test('restores the bytes when applied twice', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), fc.integer(), (bytes, key) => {
        const copy = Uint8Array.from(bytes)
        mask(copy, 0, copy.length, key)
        mask(copy, 0, copy.length, key)
        expect(copy).toEqual(bytes)
      }),
    )
  })

  test('masks a plain Uint8Array', () => {
    const bytes = new Uint8Array(100).fill(0x61)
    mask(bytes, 0, 100, toInteger(KEY))
    expect(Buffer.from(bytes).equals(naive(new Uint8Array(100).fill(0x61), KEY))).toBe(true)
  })

  test.each([1, 3, 4, 7, 63, 64, 65, 80, 81, 82, 83, 200, 1024])(
    'reports a byte that is not ASCII at each place of a result of %d bytes',
    (length) => {
      const wrong = []
      for (let at = 0; at < length; at++) {
        if (!toldAsAscii(length, at, 0x7f)) wrong.push(at)
        if (toldAsAscii(length, at, 0x80)) wrong.push(at)
      }
      expect(wrong).toEqual([])
    },
  )

  test('does not check more than 1 KiB for ASCII', () => {
    expect(toldAsAscii(1025, 0, 0x7f)).toBe(false)
  })

  test('reports an empty range as ASCII', () => {
    expect(mask(Buffer.alloc(0), 0, 0, -1) & 0x80808080).toBe(0)
  })

  test('does not keep large memory alive', async () => {
    const masked = (): WeakRef<ArrayBufferLike> => {
      const bytes = Buffer.allocUnsafeSlow(1024 * 1024)
      mask(bytes, 0, bytes.length, -1)
      return new WeakRef(bytes.buffer)
    }
    expect(await isCollected(masked())).toBe(true)
  })
})

describe('unmaskInto', () => {
  test('unmasks any range to any place of other memory, and writes no byte outside', () => {
    const key = fc.tuple(byte(), byte(), byte(), byte())
    const range = fc.tuple(fc.nat(20), fc.nat(9000), fc.nat(20), fc.nat(20))
    fc.assert(
      fc.property(key, range, (key, [before, length, offset, behind]) => {
        const source = amongOthers(before, length, 3)
        const target = amongOthers(offset, length, behind)
        const expected = Buffer.from(target)
        expected.set(naive(source.subarray(before, before + length), key), offset)
        const untouched = Buffer.from(source)
        unmaskInto(target, offset, source, before, before + length, toInteger(key))
        expect(target.equals(expected)).toBe(true)
        expect(source.equals(untouched)).toBe(true)
      }),
      { numRuns: runs(300) },
    )
  })
})

describe('rotateKey', () => {
  test('continues where a payload was cut', () => {
    for (let cut = 0; cut <= 60; cut++) {
      const bytes = amongOthers(0, 120, 0)
      const expected = naive(bytes, KEY)
      mask(bytes, 0, cut, toInteger(KEY))
      mask(bytes, cut, 120, rotateKey(toInteger(KEY), cut))
      expect(bytes.equals(expected)).toBe(true)
    }
  })
})

/** What `mask` says of ASCII but for one byte, once it has unmasked it. */
function toldAsAscii(length: number, at: number, byte: number): boolean {
  const bytes = Buffer.alloc(length, 'a')
  bytes[at] = byte
  const masked = naive(bytes, KEY)
  return (mask(masked, 0, length, toInteger(KEY)) & 0x80808080) === 0
}

function byte(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 255 })
}
