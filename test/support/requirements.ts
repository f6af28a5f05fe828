/**
 * What a test needs and npm does not install: programs and Python modules, which
 * scripts/install-system-packages.sh installs under these names.
 *
 * ```ts
 * import { requires, programPath } from './requirements.js'
 *
 * describe('behind nginx', requires('nginx'), () => {
 *   test('...', () => { spawn(programPath('nginx'), [...]) })
 * })
 * test('python autobahn connects', requires('python3-autobahn'), async () => {
 *   spawn(programPath('python3-autobahn'), ['client.py'])   // Debian's interpreter, which has the module
 * })
 * ```
 *
 * If something is missing, the suite or test is skipped, and requirements-reporter.ts lists it with the reason at the
 * end of the run, which fails if CI is set.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestOptions } from 'vitest'
import { DENIED } from './requirements-reporter.js'

declare module 'vitest' {
  interface TaskMeta {
    /** The requirements that are not installed, because of which the test was skipped. */
    missing?: Requirement[]
    /** Why the operating system does not allow the test. */
    denied?: string
  }
}

/** By the name of the Debian package: the program to run, and the Python module that it must be able to import. */
const requirements = {
  chromium: { program: 'chromium' },
  'firefox-esr': { program: 'firefox-esr' },
  'nats-server': { program: 'nats-server' },
  nginx: { program: 'nginx' },
  haproxy: { program: 'haproxy' },
  'redis-server': { program: 'redis-server' },
  // Debian's python3: another one on PATH does not find Debian's modules.
  'python3-websockets': { program: '/usr/bin/python3', module: 'websockets' },
  'python3-autobahn': { program: '/usr/bin/python3', module: 'autobahn.twisted.websocket' },
  'python3-django-channels': { program: '/usr/bin/python3', module: 'channels' },
  'python3-channels-redis': { program: '/usr/bin/python3', module: 'channels_redis' },
  'python3-jwt': { program: '/usr/bin/python3', module: 'jwt' },
  daphne: { program: '/usr/bin/python3', module: 'daphne' },
} satisfies Record<string, { program: string; module?: string }>

export type Requirement = keyof typeof requirements

const found = new Map<Requirement, string | undefined>()

/** Options for `describe` or `test` that skip it if one of these is not installed. */
export function requires(...names: Requirement[]): TestOptions {
  const missing = names.filter((name) => find(name) === undefined)
  return missing.length === 0 ? { skip: false, meta: {} } : { skip: true, meta: { missing } }
}

/** Options for `describe` or `test` that skip it on Windows, which has no unix sockets. */
export function requiresUnixSockets(): TestOptions {
  if (process.platform !== 'win32') return { skip: false, meta: {} }
  return { skip: true, meta: { denied: `${DENIED} unix sockets` } }
}

/** The absolute path of a required program; for a Python module, of its interpreter. */
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
  // Daemons are in sbin, which is not on the PATH of an ordinary user.
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
