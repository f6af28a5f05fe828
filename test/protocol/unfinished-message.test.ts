import { expect, test } from 'vitest'
import { UnfinishedMessage } from '#src/protocol/unfinished-message.js'

const TEXT = 0x01
const COMPRESSED_BINARY = 0x42
const LAST = 0x80

test('knows from the first octet of its first frame what it is', () => {
  expect(new UnfinishedMessage(TEXT)).toMatchObject({
    isText: true,
    isCompressed: false,
    frames: 0,
    length: 0,
  })
  expect(new UnfinishedMessage(COMPRESSED_BINARY)).toMatchObject({ isText: false, isCompressed: true })
})

test('counts frames and octets as they are announced, and holds them as they come', () => {
  const message = new UnfinishedMessage(TEXT)
  const octets = Buffer.from('abcdef')
  message.beginFrame(TEXT, 4, 0)
  expect(message).toMatchObject({ isInFrame: true, frames: 1, length: 4, remaining: 4, heldLength: 0 })
  message.add(octets, 0, 3)
  expect(message).toMatchObject({ isInFrame: true, length: 4, remaining: 1, heldLength: 3 })
  message.add(octets, 3, 4)
  expect(message.endFrame()).toBe(false)
  message.beginFrame(LAST, 2, 0)
  message.add(octets, 4, 6)
  expect(message.endFrame()).toBe(true)
  expect(message).toMatchObject({ isInFrame: false, frames: 2, length: 6, remaining: 0, heldLength: 6 })
  expect(message.take().toString()).toBe('abcdef')
})

test('turns the masking key with the octets that have come', () => {
  const message = new UnfinishedMessage(TEXT)
  message.beginFrame(TEXT, 8, 0x04030201)
  message.add(Buffer.alloc(3), 0, 3)
  expect(message.key).toBe(0x03020104)
  message.add(Buffer.alloc(4), 0, 4)
  expect(message.key).toBe(0x03020104)
})

test('text is whole between two characters, also across fragments', () => {
  const message = new UnfinishedMessage(TEXT)
  const euro = Buffer.from('€')
  expect(message).toMatchObject({ isAscii: true, isWholeText: true })
  expect(message.validate(euro, 0, 2, false)).toBe(true)
  expect(message).toMatchObject({ isAscii: false, isWholeText: false })
  expect(message.validate(euro, 2, 3, false)).toBe(true)
  expect(message.isWholeText).toBe(true)
  expect(message.validate(Buffer.of(0xff), 0, 1, false)).toBe(false)
})

test('ASCII that cuts a character short is not valid', () => {
  const message = new UnfinishedMessage(TEXT)
  message.validate(Buffer.of(0xe2), 0, 1, false)
  expect(message.validate(Buffer.from('a'), 0, 1, true)).toBe(false)
})

test('what is compressed, or binary, is not looked at', () => {
  for (const first of [0x41, 0x02]) {
    const message = new UnfinishedMessage(first)
    expect(message.validate(Buffer.of(0xff), 0, 1, false)).toBe(true)
    expect(message.isWholeText).toBe(true)
  }
})
