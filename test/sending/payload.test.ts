import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toPayload } from '#src/sending/payload.js'

const VIEWS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
] as const

describe('toPayload()', () => {
  test('returns text and Buffers unchanged', () => {
    const bytes = Buffer.of(1, 2)
    expect(toPayload('text')).toBe('text')
    expect(toPayload('')).toBe('')
    expect(toPayload(bytes)).toBe(bytes)
  })

  test.each([
    [0, '0'],
    [-1.5, '-1.5'],
    [1e21, '1e+21'],
    [Number.NaN, 'NaN'],
  ])('turns the number %s into text, never into a length', (number, text) => {
    expect(toPayload(number)).toBe(text)
  })

  test.each(VIEWS.map((View) => [View.name, View] as const))(
    'uses only the bytes of a view, without a copy: %s',
    (_name, View) => {
      const memory = new Uint8Array(64).map((_byte, index) => index)
      const view = Reflect.construct(View, [memory.buffer, 16, 2]) as ArrayBufferView
      const payload = toPayload(view) as Buffer
      expect(payload.equals(memory.subarray(16, 16 + view.byteLength))).toBe(true)
      expect(payload.length).toBe(view.byteLength)
      memory[16] = 255
      expect(payload[0]).toBe(255)
    },
  )

  test.each([
    ['ArrayBuffer', new ArrayBuffer(4)],
    ['SharedArrayBuffer', new SharedArrayBuffer(4)],
  ])('uses the whole buffer, without a copy: %s', (_name, buffer) => {
    const bytes = new Uint8Array(buffer)
    const payload = toPayload(buffer) as Buffer
    bytes.set([1, 2, 3, 4])
    expect(payload).toEqual(Buffer.of(1, 2, 3, 4))
  })
})

describe('throws a TypeError that describes the value, for', () => {
  class Message {
    readonly text = 'text'
  }
  test.each([
    ['undefined', undefined, 'undefined is not'],
    ['null', null, 'null is not'],
    ['a boolean', false, 'false is not'],
    ['a bigint', 1n, '1 is not'],
    ['a symbol', Symbol('x'), 'Symbol(x) is not'],
    ['a function', () => 1, 'a function is not'],
    ['an object', {}, 'an object (Object) is not'],
    ['an array', [1], '[1] is not'],
    ['an instance', new Message(), 'an object (Message) is not'],
    ['an object without a prototype', Object.create(null), 'an object (without a class) is not'],
    [
      'what looks like a Buffer',
      { length: 10, byteLength: 10, buffer: new ArrayBuffer(10) },
      'an object (Object)',
    ],
    ['a String object', new String('x'), 'an object (String)'],
  ])('%s', (_name, data, words) => {
    expect(() => toPayload(data)).toThrow(TypeError)
    expect(() => toPayload(data)).toThrow(words)
    expect(() => toPayload(data)).toThrow(/A payload is a string.*JSON\.stringify/)
  })
})

test('contains only bytes of the given view', () => {
  fc.assert(
    fc.property(fc.anything({ withTypedArray: true, withDate: true, withMap: true }), (data) => {
      let payload: string | Buffer
      try {
        payload = toPayload(data)
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError)
        return
      }
      if (typeof payload === 'string') expect(payload).toBe(String(data))
      else expect(payload.length).toBe((data as Uint8Array).byteLength)
    }),
  )
})
