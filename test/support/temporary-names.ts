import { writeFileSync } from 'node:fs'

/** Occupies each temporary name that a server of this process may bind before it renames its socket to `path`. */
export function occupyTemporaryNames(path: string): void {
  for (let count = 0; count < 1296; count++) {
    writeFileSync(`${path}.${process.pid.toString(36)}${count.toString(36)}`, '')
  }
}
