import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DIRECTORY = join(import.meta.dirname, 'results')

/**
 * Writes results/NAME.json and, when there is text, results/NAME.md. A run of a part of the bench must not replace the
 * committed figures of a whole one: its files begin with `partial-` and git ignores them.
 *
 * @param {string} name
 * @param {boolean} whole
 * @param {object} results
 * @param {string} text Markdown
 * @returns {string} the JSON file's path
 */
export function writeResults(name, whole, results, text) {
  const base = join(DIRECTORY, whole ? name : `partial-${name}`)
  writeFileSync(`${base}.json`, `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(`${base}.md`, text)
  return `${base}.json`
}
