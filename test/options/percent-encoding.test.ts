import { expect, test } from 'vitest'
import { decodePercents } from '#src/options/percent-encoding.js'

test('returns malformed percent-encoding unchanged from decodePercents()', () => {
  expect(['a%20b', '%e2%82%ac', '100%', '%ff'].map(decodePercents)).toEqual(['a b', '€', '100%', '%ff'])
})
