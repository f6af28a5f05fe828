import { readFileSync } from 'node:fs'
import { mask } from 'hubwire/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import wabt from 'wabt'
import { maskByWords, rotateKey, unmaskInto } from '#src/protocol/masking.js'
import { prepareSimd, SIMD_MODULE, simdFrom, type WebAssemblyGlobal } from '#src/protocol/simd.js'
import { isCollected } from '../support/garbage-collection.js'
import { Program } from '../support/program.js'
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

test('mask masks the example of RFC 6455 section 5.7', () => {
  const bytes = Buffer.from('Hello')
  mask(bytes, 0, 5, toInteger(KEY))
  expect(bytes.toString('hex')).toBe('7f9f4d5158')
})

test('mask reports an empty range as ASCII', () => {
  expect(mask(Buffer.alloc(0), 0, 0, -1) & 0x80808080).toBe(0)
})

// Without WebAssembly all but the shortest payloads are masked by words.
describe.each([
  { name: 'mask', mask, from: 0 },
  { name: 'maskByWords', mask: maskByWords, from: 128 },
])('$name', ({ mask, from }) => {
  test.each([
    ['from 0 to 200', 0, 200],
    ['around 256, where SIMD begins, for two rounds of its loop', 250, 330],
    ['around 32 KiB, which SIMD masks at a time', 32_767, 32_769],
  ])('masks every length %s at every alignment, and no byte outside', (_name, shortest, longest) => {
    const wrong = []
    for (let alignment = 0; alignment < 8; alignment++) {
      for (let length = Math.max(shortest, from); length <= longest; length++) {
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
    const range = fc.tuple(fc.nat(70), fc.nat(70), fc.integer({ min: from, max: 3000 }), fc.nat(20))
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
      fc.property(
        fc.uint8Array({ minLength: from, maxLength: 300, size: 'max' }),
        fc.integer(),
        (bytes, key) => {
          const copy = Uint8Array.from(bytes)
          mask(copy, 0, copy.length, key)
          mask(copy, 0, copy.length, key)
          expect(copy).toEqual(bytes)
        },
      ),
    )
  })

  test('masks a plain Uint8Array', () => {
    for (const length of [from, 300]) {
      const bytes = new Uint8Array(length).fill(0x61)
      mask(bytes, 0, length, toInteger(KEY))
      expect(Buffer.from(bytes).equals(naive(new Uint8Array(length).fill(0x61), KEY))).toBe(true)
    }
  })

  const lengths = [1, 3, 4, 7, 63, 64, 65, 80, 81, 82, 83, 128, 200, 255, 256, 257, 287, 288, 289, 1024]
  test.each(lengths.filter((length) => length >= from))(
    'reports a byte that is not ASCII at each place of a result of %d bytes',
    (length) => {
      const wrong = []
      for (let at = 0; at < length; at++) {
        if (!isToldAsAscii(mask, length, at, 0x7f)) wrong.push(at)
        if (isToldAsAscii(mask, length, at, 0x80)) wrong.push(at)
      }
      expect(wrong).toEqual([])
    },
  )

  test.each([32_767, 32_768, 32_769, 100_000])(
    'reports a byte that is not ASCII at the ends of a result of %d bytes',
    (length) => {
      for (const at of [0, length - 1]) {
        expect(isToldAsAscii(mask, length, at, 0x7f)).toBe(true)
        expect(isToldAsAscii(mask, length, at, 0x80)).toBe(false)
      }
    },
  )

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
    const length = fc.oneof(fc.nat(300), fc.nat(70_000))
    const range = fc.tuple(fc.nat(20), length, fc.nat(20), fc.nat(20))
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

describe('without WebAssembly', () => {
  test('masks by words where the runtime has none, or no memory for it', () => {
    const { Module } = Reflect.get(globalThis, 'WebAssembly') as WebAssemblyGlobal
    class Instance {
      readonly exports = {}
      constructor() {
        throw new RangeError('WebAssembly.Memory(): could not allocate memory')
      }
    }
    expect(prepareSimd(undefined)).toBeUndefined()
    expect(prepareSimd({ Module, Instance })).toBeUndefined()
    expect(simdFrom(undefined)).toBe(Infinity)
  })

  test('unmasks in a process of node --jitless', async () => {
    const program = new Program(process.execPath, [
      '--jitless',
      '--no-warnings',
      '--input-type=module',
      '--eval',
      WORDS,
    ])
    expect(await program.exit, program.lines.join()).toEqual({ code: 0, signal: null })
    expect(program.lines.at(-1)).toBe('undefined 100000')
  })
})

/** Reads a long masked frame. */
const WORDS = `
import { Decoder, encodeFrame } from 'hubwire/protocol'
const frame = encodeFrame(Buffer.alloc(100_000, 'a'), { opcode: 2, maskingKey: Buffer.from([1, 2, 3, 4]) })
const decoder = new Decoder({ onMessage: (data) => console.log(typeof WebAssembly, data.toString().match(/^a*$/)[0].length) }, { from: 'client' })
decoder.push(frame)
`

test('the module is what simd.wat assembles to', async () => {
  const { parseWat } = await wabt()
  const text = readFileSync(new URL('../../src/protocol/simd.wat', import.meta.url), 'utf8')
  const { buffer } = parseWat('simd.wat', text, { simd: true }).toBinary({})
  expect(SIMD_MODULE).toBe(Buffer.from(buffer).toString('base64'))
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

/** What a function says of ASCII but for one byte, once it has unmasked it. */
function isToldAsAscii(unmask: typeof mask, length: number, at: number, byte: number): boolean {
  const bytes = Buffer.alloc(length, 'a')
  bytes[at] = byte
  const masked = naive(bytes, KEY)
  return (unmask(masked, 0, length, toInteger(KEY)) & 0x80808080) === 0
}

function byte(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 255 })
}
