import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DIRECTORY = join(import.meta.dirname, 'results')

/**
 * Writes the files results/NAME.EXTENSION. A run of a part of the bench must not replace the committed figures of a
 * whole one: its files begin with `partial-`, and git ignores them.
 *
 * @param {string} name
 * @param {boolean} whole
 * @param {Record<string, string>} contents by extension
 */
export function writeResults(name, whole, contents) {
  const base = join(DIRECTORY, whole ? name : `partial-${name}`)
  for (const [extension, content] of Object.entries(contents)) {
    writeFileSync(`${base}.${extension}`, content)
    console.log(`written: ${base}.${extension}`)
  }
  console.log()
}
