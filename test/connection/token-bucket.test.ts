import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TokenBucket } from '#src/connection/token-bucket.js'

/** How many of `count` are taken at a moment. */
const takes = (bucket: TokenBucket, count: number, now: number): number =>
  Array.from({ length: count }, () => bucket.take(now)).filter(Boolean).length

describe('a token bucket', () => {
  test('starts full and lets one burst pass at once', () => {
    expect(takes(new TokenBucket({ perSecond: 2, burst: 5 }, 0), 10, 0)).toBe(5)
  })

  test('holds the tokens of one second without a burst', () => {
    expect(takes(new TokenBucket({ perSecond: 3 }, 0), 10, 0)).toBe(3)
  })

  test('refills over time, up to the burst', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 0)
    expect(takes(bucket, 10, 0)).toBe(5)
    expect(takes(bucket, 10, 99)).toBe(0)
    expect(takes(bucket, 10, 100)).toBe(1)
    expect(takes(bucket, 10, 400)).toBe(3)
    expect(takes(bucket, 10, 60_000)).toBe(5)
  })

  test('accumulates fractions of a token', () => {
    const bucket = new TokenBucket({ perSecond: 0.5, burst: 1 }, 0)
    expect(takes(bucket, 1, 0)).toBe(1)
    const times = Array.from({ length: 40 }, (_, index) => 100 * (index + 1))
    expect(times.filter((now) => bucket.take(now))).toEqual([2000, 4000])
  })

  test('never lets more pass than the rate and one burst', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 200 })
    const rate = fc.record({
      perSecond: fc.integer({ min: 1, max: 50 }),
      burst: fc.integer({ min: 1, max: 50 }),
    })
    fc.assert(
      fc.property(rate, gaps, ({ perSecond, burst }, times) => {
        const bucket = new TokenBucket({ perSecond, burst }, 0)
        let now = 0
        let passed = 0
        for (const gap of times) {
          now += gap
          if (bucket.take(now)) passed++
          expect(passed).toBeLessThanOrEqual(burst + (now / 1000) * perSecond + 1e-6)
        }
      }),
    )
  })
})
