import { readFileSync } from 'node:fs'

/**
 * The text of a file of examples/ as it stands, but for the lines that name what is another in a test: a port, a
 * folder, a time. Each of them must be there, once; what takes its place is not indented.
 */
export function exampleFile(path: string, instead: Readonly<Record<string, string>> = {}): string {
  const lines = readFileSync(new URL(`../../examples/${path}`, import.meta.url), 'utf8').split('\n')
  for (const [line, replacement] of Object.entries(instead)) {
    const places = [...lines.keys()].filter((at) => lines[at]?.trim() === line)
    if (places.length !== 1) {
      throw new Error(
        `examples/${path} has ${places.length} lines that read ${JSON.stringify(line)}, and not 1`,
      )
    }
    lines[places[0]!] = replacement
  }
  return lines.join('\n')
}
