import { execFile } from 'node:child_process'
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { installPackedPackage, type PackedPackage } from './packed-package.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Outcome {
  readonly code: number
  /** What it wrote on both outputs. */
  readonly output: string
}

/** A project outside the repository that has the built package installed, and development dependencies of ours. */
export class InstalledProject {
  readonly #packed: PackedPackage

  /** @param modules - the folders of our node_modules that the project has too */
  constructor(...modules: string[]) {
    this.#packed = installPackedPackage()
    for (const name of modules) {
      const place = join(this.#packed.project, 'node_modules', name)
      symlinkSync(join(root, 'node_modules', name), place, 'junction')
    }
  }

  /** Makes a folder with these files, by their names, for one program. */
  folder(files: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(join(this.#packed.project, 'program-'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return folder
  }

  remove(): void {
    this.#packed.remove()
  }
}

/** Runs a script of Node.js in a folder to its end. It is killed if the test ends before. */
export async function runIn(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const controller = new AbortController()
  onTestFinished(() => {
    controller.abort()
  })
  const env = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', FORCE_COLOR: undefined, ...environment }
  return promisify(execFile)(process.execPath, args, { cwd: folder, env, signal: controller.signal }).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: unknown) => {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, output: stdout + stderr }
    },
  )
}

/** The blocks of one language in a section of a document of docs/. */
export function blocksOf(document: string, section: string, language: string): string[] {
  const [, ...rest] = document.split(`\n## ${section}\n`)
  if (rest.length !== 1) throw new Error(`There is no single section ${section}`)
  const [text] = rest[0]!.split('\n## ')
  const pattern = new RegExp(`^\`\`\`${language}[^\\n]*\\n([^]*?)^\`\`\`$`, 'gm')
  return Array.from(text!.matchAll(pattern), ([, block]) => block!)
}
