import { describe, expect, test } from 'vitest'
import { paceCollections, pacedFrom } from '#src/protocol/collection-pace.js'

describe('a payload that is delivered as a Buffer', () => {
  test('allocates half as many bytes in the heap, unless it is short', () => {
    const from = pacedFrom('13.6.233.17-node.40')
    const before = paceCollections(0)
    expect(paceCollections(1023, from)).toBe(before)
    expect(paceCollections(16_384, from).length).toBe(1024)
  })

  test('allocates nothing before V8 13', () => {
    expect(pacedFrom('12.4.254.21-node.33')).toBe(Infinity)
    const before = paceCollections(0)
    expect(paceCollections(16_384, pacedFrom('11.3.244.8-node.33'))).toBe(before)
  })
})
