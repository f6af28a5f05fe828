/**
 * What a test needs that npm does not carry: programs and Python modules, which
 * scripts/install-system-packages.sh installs under these names.
 *
 * ```ts
 * import { requires, programPath } from './requirements.js'
 *
 * describe('behind nginx', requires('nginx'), () => {
 *   test('...', () => { spawn(programPath('nginx'), [...]) })
 * })
 * test('python autobahn connects', requires('python3-autobahn'), async () => {
 *   spawn(programPath('python3-autobahn'), ['client.py'])   // Debian's interpreter, which knows the module
 * })
 * ```
 *
 * Where something is missing, the suite or test is skipped and requirements-reporter.ts names it at the end of the
 * run with the reason. With CI set, the run then fails: a test that did not run has not passed.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestOptions } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** The requirements that this machine does not meet, for which the test was skipped. */
    missing?: Requirement[]
  }
}

/** By the name of the Debian package: the program to run, and the Python module that it must be able to import. */
const requirements = {
  chromium: { program: 'chromium' },
  nginx: { program: 'nginx' },
  haproxy: { program: 'haproxy' },
  'redis-server': { program: 'redis-server' },
  // Not the python3 on PATH, which may be another than Debian's and not see Debian's modules.
  'python3-websockets': { program: '/usr/bin/python3', module: 'websockets' },
  'python3-autobahn': { program: '/usr/bin/python3', module: 'autobahn.twisted.websocket' },
} satisfies Record<string, { program: string; module?: string }>

export type Requirement = keyof typeof requirements

const found = new Map<Requirement, string | undefined>()

/** Options for `describe` or `test`: they skip it, and say why, unless everything named is installed. */
export function requires(...names: Requirement[]): TestOptions {
  const missing = names.filter((name) => find(name) === undefined)
  return missing.length === 0 ? { skip: false, meta: {} } : { skip: true, meta: { missing } }
}

/** The absolute path of the program that answers for a requirement; for a Python module, its interpreter. */
export function programPath(name: Requirement): string {
  const path = find(name)
  if (path === undefined) throw new Error(`${name} is not installed: see scripts/install-system-packages.sh`)
  return path
}

function find(name: Requirement): string | undefined {
  if (!found.has(name)) found.set(name, locate(requirements[name]))
  return found.get(name)
}

function locate({ program, module }: { program: string; module?: string }): string | undefined {
  // Daemons live in sbin, which is not on the PATH of an ordinary user.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  const candidates = program.startsWith('/') ? [program] : folders.map((folder) => join(folder, program))
  const path = candidates.find(isExecutable)
  if (path === undefined || module === undefined) return path
  return spawnSync(path, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0 ? path : undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
