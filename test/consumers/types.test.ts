import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { folder } from './install.js'

// Programs against the types of packages that import those of `ws`, which are ours. The declarations of the packages are
// checked as well.

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  typeRoots: [join(folder, 'node_modules', '@types')],
  types: ['node'],
  strict: true,
  noEmit: true,
}

const names = readdirSync(join(folder, 'types'))
const program = ts.createProgram(
  names.map((name) => join(folder, 'types', name)),
  options,
)

/** The errors, by the name of their file. */
const findings = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => ({
  file: file && basename(file.fileName),
  message: ts.flattenDiagnosticMessageText(messageText, '\n'),
}))

test('the types of ws are ours', () => {
  const files = program.getSourceFiles().map(({ fileName }) => fileName)
  expect(files).toContain(join(folder, 'node_modules', 'ws', 'dist', 'ws', 'index.d.cts'))
  expect(files.filter((file) => file.includes('@types/ws/'))).toEqual([])
})

test.each(names)('%s compiles', (name) => {
  expect(findings.filter(({ file }) => file === name)).toEqual([])
})

test('the declarations of the packages compile', () => {
  expect(findings.filter(({ file }) => file === undefined || !names.includes(file))).toEqual([])
})
