import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DIRECTORY = join(import.meta.dirname, 'results')

/**
 * Writes the files results/NAME.EXTENSION. The files of an incomplete run begin with `partial-` and are ignored by git,
 * so that they do not replace the committed results of a complete one.
 *
 * @param {string} name
 * @param {boolean} isComplete
 * @param {Record<string, string>} contents by extension
 */
export function writeResults(name, isComplete, contents) {
  const base = join(DIRECTORY, isComplete ? name : `partial-${name}`)
  for (const [extension, content] of Object.entries(contents)) {
    writeFileSync(`${base}.${extension}`, content)
    console.log(`written: ${base}.${extension}`)
  }
  console.log()
}
