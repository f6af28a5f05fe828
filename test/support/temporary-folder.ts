import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Registers what is to be done at the end of a test, like `onTestFinished`, or of several tests. */
export type OnEnd = (end: () => Promise<void> | void) => void

/** Creates an empty folder, which is removed after the test. */
export function temporaryFolder(onEnd: OnEnd = onTestFinished): string {
  const path = mkdtempSync(join(tmpdir(), 'hubwire-'))
  onEnd(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}
