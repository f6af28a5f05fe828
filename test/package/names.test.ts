import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { entryPoints } from '../../scripts/entry-points.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))

const load = async (path: string): Promise<Record<string, unknown>> =>
  (await import(/* @vite-ignore */ pathToFileURL(join(root, path)).href)) as Record<string, unknown>

/** The names that errors, util.inspect() and stack traces show: those of functions, classes and their methods. */
function namesOf(value: unknown, depth = 0): unknown {
  if (typeof value !== 'function') return typeof value
  const properties = (of: object): unknown[] =>
    Reflect.ownKeys(of).map((key) => {
      const descriptor = Object.getOwnPropertyDescriptor(of, key)!
      const member: unknown = descriptor.value ?? descriptor.get
      return [String(key), depth < 2 ? namesOf(member, depth + 1) : typeof member]
    })
  const { name, prototype } = value as { name: string; prototype?: object }
  const parent: unknown = Object.getPrototypeOf(value)
  return {
    name,
    extends: typeof parent === 'function' ? parent.name : undefined,
    statics: properties(value),
    methods: prototype && properties(prototype),
  }
}

test.each(Object.entries(entryPoints))(
  'bundling %s leaves its exports and their names as they are',
  async (name, module) => {
    const [bundled, modules] = [await load(`dist/${name}.js`), await load(`build/${module}.js`)]
    const namesIn = (of: Record<string, unknown>): unknown =>
      Object.entries(of).map(([key, value]) => [key, namesOf(value)])
    expect(Object.keys(bundled)).not.toEqual([])
    expect(namesIn(bundled)).toEqual(namesIn(modules))
  },
)

/** The names of the functions and classes that are declared in the code in a folder. */
function declaredIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .flatMap((path) =>
      Array.from(
        readFileSync(join(root, folder, path), 'utf8').matchAll(/(?:^|[ =])(?:class|function\*?) ([\w$]+)/gm),
        ([, name]) => name!,
      ),
    )
}

test.each(['dist', 'packages/ws/dist'])('%s declares no function or class by another name', (folder) => {
  const names = new Set(declaredIn('build'))
  const declared = declaredIn(folder)
  expect(declared).toContain('WebSocketServer')
  expect(declared.filter((name) => !names.has(name))).toEqual([])
})
