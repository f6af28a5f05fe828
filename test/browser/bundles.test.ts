import { readFileSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build as buildWithEsbuild, transform } from 'esbuild'
import * as hubwire from 'hubwire'
import { rollup } from 'rollup'
import ts from 'typescript'
import { build as buildWithVite, type Rolldown } from 'vite'
import { expect, onTestFinished, test } from 'vitest'
import { importsOf } from '../support/imports.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Bytes of the whole client, minified and gzipped. */
const MAX_SIZE = 3000

/** A program in a project that has this package installed: its built code, by its package.json. */
function project(source: string): { folder: string; entry: string } {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'hubwire'), 'junction')
  const entry = join(folder, 'entry.js')
  writeFileSync(entry, source)
  return { folder, entry }
}

async function esbuild(source: string): Promise<string> {
  const { entry } = project(source)
  const options = { bundle: true, minify: true, format: 'esm', target: 'es2022', write: false } as const
  const { outputFiles, warnings } = await buildWithEsbuild({ entryPoints: [entry], ...options })
  expect(warnings).toEqual([])
  return outputFiles[0]!.text
}

async function vite(source: string): Promise<string> {
  const { folder } = project(source)
  writeFileSync(join(folder, 'index.html'), '<script type="module" src="/entry.js"></script>')
  const build = { write: false, modulePreload: { polyfill: false }, target: 'es2022' } as const
  const built = await buildWithVite({ root: folder, configFile: false, logLevel: 'silent', build })
  const { output } = built as Rolldown.RolldownOutput
  return output.find((file) => file.type === 'chunk')!.code
}

/** rollup finds no packages and minifies nothing by itself, so the entry is given and esbuild minifies. */
async function rollupOf(path: string): Promise<string> {
  const bundle = await rollup({ input: join(root, path) })
  onTestFinished(() => bundle.close())
  const { output } = await bundle.generate({ format: 'esm' })
  return (await transform(output[0].code, { minify: true, format: 'esm', target: 'es2022' })).code
}

const everything = `import * as client from 'hubwire/browser'; globalThis.client = { ...client }`
const bundlers = [
  ['esbuild', () => esbuild(everything)],
  ['rollup', () => rollupOf('dist/browser.js')],
  ['vite', () => vite(everything)],
] as const

test.each(bundlers)(
  '%s bundles the client for pages into 3 KB, gzipped, without any import',
  async (_name, bundle) => {
    const code = await bundle()
    expect(code).toContain('unreachable-or-refused')
    expect(importsOf(code)).toEqual([])
    expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(MAX_SIZE)
  },
)

const sentence = "'hubwire' runs on Node.js and not in pages: import from 'hubwire/browser' instead"

test.each([
  ['esbuild', esbuild],
  ['vite', vite],
])(
  "import 'hubwire' in a page built by %s fails with a sentence that names hubwire/browser (N10)",
  async (_name, bundle) => {
    for (const source of [
      `import 'hubwire'`,
      `import { WebSocketServer } from 'hubwire'; new WebSocketServer()`,
    ]) {
      const { folder } = project('')
      const path = join(folder, 'bundle.mjs')
      writeFileSync(path, await bundle(source))
      await expect(import(/* @vite-ignore */ path)).rejects.toThrow(sentence)
    }
  },
)

test('the browser stub of the main entry exports all of its names', () => {
  const text = readFileSync(join(root, 'src/not-for-pages.ts'), 'utf8')
  const file = ts.createSourceFile('not-for-pages.ts', text, ts.ScriptTarget.Latest)
  const names = file.statements.flatMap((statement) =>
    ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)
      ? statement.exportClause.elements.map(({ name }) => name.text)
      : [],
  )
  expect(names.toSorted()).toEqual(Object.keys(hubwire).toSorted())
})
