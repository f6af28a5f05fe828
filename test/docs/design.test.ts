import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const design = readFileSync(join(root, 'docs', 'design.md'), 'utf8')

/** The steps of the walks: a file of src/, and the function or class there. */
const steps = [...design.matchAll(/`([\w-]+(?:\/[\w-]+)+\.ts)`(?: `(#?\w+)`(?: or `(#?\w+)`)?)?/g)].map(
  ([, file, ...names]) => ({ file: file!, names: names.filter(Boolean) }),
)

describe('the walks of docs/design.md', () => {
  test('name files of src/', () => {
    const missing = steps.filter(
      ({ file }) => !['src', '.'].some((folder) => existsSync(join(root, folder, file))),
    )
    expect(missing).toEqual([])
  })

  test('name functions and classes that are defined there', () => {
    const named = steps.filter(({ names }) => names.length > 0)
    expect(named.length).toBeGreaterThan(30)
    const missing = named.flatMap(({ file, names }) => {
      const source = readFileSync(join(root, 'src', file), 'utf8')
      return names
        .filter(
          (name) =>
            !new RegExp(String.raw`^ *(?:(?:async|export|override|function|class) )*${name}[(<]`, 'm').test(
              source,
            ) && !new RegExp(`class ${name}\\b`).test(source),
        )
        .map((name) => `${file} ${name}`)
    })
    expect(missing).toEqual([])
  })
})
