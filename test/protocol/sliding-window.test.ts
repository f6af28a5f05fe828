import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlidingWindow } from '#src/protocol/sliding-window.js'

test('is empty initially and after empty messages', () => {
  const window = new SlidingWindow(9)
  expect(window.dictionary).toBeUndefined()
  window.append(Buffer.alloc(0))
  expect(window.dictionary).toBeUndefined()
})

test('holds the last bytes of any messages', () => {
  const message = fc.uint8Array({ maxLength: 700, size: 'max' }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 10 }), fc.array(message, { maxLength: 8 }), (bits, messages) => {
      const window = new SlidingWindow(bits)
      let all = Buffer.alloc(0)
      for (const message of messages) {
        window.append(message)
        all = Buffer.concat([all, message])
        const expected = all.subarray(Math.max(0, all.length - 2 ** bits))
        expect(window.dictionary?.toString('hex') ?? '').toBe(expected.toString('hex'))
      }
    }),
  )
})

test.each([511, 512, 513, 5000])('keeps at most its size of a message of %d bytes', (length) => {
  const message = Buffer.from(Array.from({ length }, (_, index) => index & 0xff))
  const window = new SlidingWindow(9)
  window.append(message)
  expect(window.dictionary?.equals(message.subarray(Math.max(0, length - 512)))).toBe(true)
})

test('copies the messages, so that they can be changed and are not kept alive', () => {
  const window = new SlidingWindow(9)
  const short = Buffer.from('short')
  const long = Buffer.alloc(1_000_000, 'x')
  window.append(short)
  short.fill(0)
  expect(window.dictionary?.toString()).toBe('short')
  expect(window.dictionary?.buffer.byteLength).toBe(5)
  window.append(long)
  expect(window.dictionary?.buffer.byteLength).toBe(512)
})

test('leaves a dictionary unchanged that it returned before', () => {
  const window = new SlidingWindow(9)
  window.append(Buffer.from('before'))
  const before = window.dictionary
  window.append(Buffer.from(' and after'))
  expect(before?.toString()).toBe('before')
})

test('is empty after clear()', () => {
  const window = new SlidingWindow(9)
  window.append(Buffer.from('before'))
  window.clear()
  expect(window.dictionary).toBeUndefined()
  window.append(Buffer.from('after'))
  expect(window.dictionary?.toString()).toBe('after')
})
