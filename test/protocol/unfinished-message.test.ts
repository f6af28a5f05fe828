import { expect, test } from 'vitest'
import { UnfinishedMessage } from '#src/protocol/unfinished-message.js'

const TEXT = 0x01
const BINARY = 0x02
const COMPRESSED_TEXT = 0x41
const COMPRESSED_BINARY = 0x42
const LAST = 0x80

test('takes its kind from the first byte of its first frame', () => {
  expect(new UnfinishedMessage(TEXT, true)).toMatchObject({
    isText: true,
    isCompressed: false,
    frames: 0,
    length: 0,
  })
  expect(new UnfinishedMessage(COMPRESSED_BINARY, true)).toMatchObject({ isText: false, isCompressed: true })
})

test('counts frames and bytes when they are announced, and adds them when they arrive', () => {
  const message = new UnfinishedMessage(TEXT, true)
  const bytes = Buffer.from('abcdef')
  message.beginFrame(TEXT, 4, 0)
  expect(message).toMatchObject({ isInFrame: true, isLastFrame: false, frames: 1, length: 4, remaining: 4 })
  message.add(bytes, 0, 3, false)
  expect(message).toMatchObject({ isInFrame: true, length: 4, remaining: 1 })
  message.add(bytes, 3, 4, false)
  expect(message.endFrame()).toBe(false)
  message.beginFrame(LAST, 2, 0)
  expect(message.isLastFrame).toBe(true)
  message.add(bytes, 4, 6, false)
  expect(message.endFrame()).toBe(true)
  expect(message).toMatchObject({ isInFrame: false, frames: 2, length: 6, remaining: 0 })
  expect(message.take().toString()).toBe('abcdef')
})

test('rotates the masking key by the number of bytes received', () => {
  const message = new UnfinishedMessage(TEXT, true)
  message.beginFrame(TEXT, 8, 0x04030201)
  message.add(Buffer.alloc(3), 0, 3, true)
  expect(message.key).toBe(0x03020104)
  message.add(Buffer.alloc(4), 0, 4, true)
  expect(message.key).toBe(0x03020104)
})

test('accepts text that ends between two characters, also across fragments', () => {
  const message = new UnfinishedMessage(TEXT, true)
  const euro = Buffer.from('€')
  expect(message).toMatchObject({ isAscii: true, isWholeText: true })
  expect(message.add(euro, 0, 2, false)).toBe(true)
  expect(message).toMatchObject({ isAscii: false, isWholeText: false })
  expect(message.add(euro, 2, 3, false)).toBe(true)
  expect(message.isWholeText).toBe(true)
  expect(message.add(Buffer.of(0xff), 0, 1, false)).toBe(false)
})

test('refuses ASCII in the middle of a character', () => {
  const message = new UnfinishedMessage(TEXT, true)
  message.add(Buffer.of(0xe2), 0, 1, false)
  expect(message.add(Buffer.from('a'), 0, 1, false)).toBe(false)
})

test.each([
  ['compressed text', COMPRESSED_TEXT, true],
  ['a binary message', BINARY, true],
  ['text without validation', TEXT, false],
])('neither validates %s nor calls it ASCII', (_name, first, validatesText) => {
  const message = new UnfinishedMessage(first, validatesText)
  expect(message.add(Buffer.of(0xff), 0, 1, false)).toBe(true)
  expect(message).toMatchObject({ isWholeText: true, isAscii: false })
})
