import { syncBuiltinESMExports } from 'node:module'
import zlib from 'node:zlib'
import { onTestFinished } from 'vitest'

/** Replaces a function of zlib for all importers until the test ends, to simulate a fault that cannot be provoked otherwise. */
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
