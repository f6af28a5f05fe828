import { expect } from 'vitest'

/** Returns what a call throws. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('It throws nothing')
}

/** Matches a DOMException of this name. */
export function webError(name: string): unknown {
  return expect.toSatisfy((error: unknown) => error instanceof DOMException && error.name === name, name)
}
