import { syncBuiltinESMExports } from 'node:module'
import zlib from 'node:zlib'
import { onTestFinished } from 'vitest'

/** Puts another function in the place of one of zlib's, for all who import it, until the test ends: a fault that cannot be had otherwise. */
export function replaceInZlib(
  name: 'deflateRaw' | 'deflateRawSync' | 'inflateRaw',
  replacement: unknown,
): void {
  const functions = zlib as unknown as Record<string, unknown>
  const original = functions[name]
  const put = (value: unknown): void => {
    functions[name] = value
    syncBuiltinESMExports()
  }
  put(replacement)
  onTestFinished(() => {
    put(original)
  })
}
