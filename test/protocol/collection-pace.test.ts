import { describe, expect, test } from 'vitest'
import { paceCollections, pacedFrom } from '#src/protocol/collection-pace.js'

describe('paceCollections()', () => {
  test('allocates a quarter of the external bytes in the heap, above a minimum', () => {
    const from = pacedFrom('13.6.233.17-node.40')
    const before = paceCollections(0)
    expect(paceCollections(2047, from)).toBe(before)
    expect(paceCollections(16_384, from).length).toBe(512)
    expect(paceCollections(1e6, from).length * 8).toBeLessThan(128 * 1024)
  })

  test('allocates nothing before V8 13', () => {
    expect(pacedFrom('12.4.254.21-node.33')).toBe(Infinity)
    const before = paceCollections(0)
    expect(paceCollections(16_384, pacedFrom('11.3.244.8-node.33'))).toBe(before)
  })
})
