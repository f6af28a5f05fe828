import { describe, expect, test } from 'vitest'
import { paceCollections } from '#src/protocol/collection-pace.js'

describe('a payload that is delivered as a Buffer', () => {
  test('allocates half as many bytes in the heap since V8 13, unless it is short', () => {
    const isPaced = Number.parseInt(process.versions.v8, 10) >= 13
    const before = paceCollections(0)
    expect(paceCollections(1023)).toBe(before)
    expect(paceCollections(16_384).length).toBe(isPaced ? 1024 : before.length)
  })
})
