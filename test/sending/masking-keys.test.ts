import { describe, expect, test } from 'vitest'
import { maskingKeysFrom, randomMaskingKey } from '#src/sending/masking-keys.js'
import { settled } from '../support/event-loop.js'
import { memoryPair } from '../support/memory-pair.js'

describe('random masking keys', () => {
  test('differ from each other, over several refills', () => {
    const keys = new Set(Array.from({ length: 10_000 }, () => randomMaskingKey()))
    // Among this many random keys, two are equal in one of 86 runs, and a hundred never.
    expect(keys.size).toBeGreaterThan(9_900)
  })

  test('have each of their 32 bits set in half of all keys', () => {
    const counts = new Array<number>(32).fill(0)
    for (let drawn = 0; drawn < 10_000; drawn++) {
      const key = randomMaskingKey()
      for (let bit = 0; bit < 32; bit++) counts[bit]! += (key >>> bit) & 1
    }
    // Ten standard deviations.
    for (const count of counts) expect(Math.abs(count - 5_000)).toBeLessThan(500)
  })

  test('are never used twice, so that equal messages differ on the wire', async () => {
    const { client, clientEnd } = await memoryPair()
    for (let sent = 0; sent < 100; sent++) client.send('the same')
    await settled()
    const bytes = clientEnd.bytes
    const frames = Array.from({ length: 100 }, (_, index) => bytes.subarray(index * 14, index * 14 + 14))
    expect(new Set(frames.map((frame) => frame.subarray(2, 6).toString('hex'))).size).toBe(100)
    expect(new Set(frames.map((frame) => frame.subarray(6).toString('hex'))).size).toBe(100)
  })
})

describe('keys from generateMask', () => {
  test('are used one for each frame, with their bytes in wire order', () => {
    let called = 0
    const keys = maskingKeysFrom((bytes) => {
      expect(bytes.length).toBe(4)
      bytes.set([1, 2, 3, 0x84 + called++])
    })
    expect([keys() >>> 0, keys() >>> 0]).toEqual([0x84030201, 0x85030201])
  })

  test('appear in the frames as generateMask filled them', async () => {
    const { client, clientEnd } = await memoryPair({
      client: {
        generateMask: (bytes) => {
          bytes.set([0x37, 0xfa, 0x21, 0x3d])
        },
      },
    })
    client.send('Hello')
    await settled()
    // The example of RFC 6455 section 5.7.
    expect(clientEnd.bytes.toString('hex')).toBe('818537fa213d7f9f4d5158')
  })
})
