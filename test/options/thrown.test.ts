import { describe, expect, test } from 'vitest'
import { toError } from '#src/options/thrown.js'

describe('toError', () => {
  test('returns an Error as it is', () => {
    const error = new TypeError('a bug')
    expect(toError(error)).toBe(error)
  })

  test.each<[string, unknown, string]>([
    ['a string', 'a bug', 'a bug'],
    ['undefined', undefined, 'undefined'],
    ['a symbol', Symbol('bug'), 'Symbol(bug)'],
    ['an object without a prototype', Object.create(null), 'an object (without a class)'],
    [
      'an object with a toString that throws',
      {
        toString(): string {
          throw new Error('another bug')
        },
      },
      'an object (Object)',
    ],
  ])('wraps %s and keeps it as the cause', (_name, thrown, message) => {
    const error = toError(thrown)
    expect(error).toBeInstanceOf(Error)
    expect(error.message).toBe(message)
    expect(error.cause).toBe(thrown)
  })
})
