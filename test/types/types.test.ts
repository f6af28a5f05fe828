import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The settings of a strict application. `hubwire` is what the package's own exports name: the built declarations. */
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
}

interface Finding {
  readonly line: number
  readonly message: string
}

const folders = ['accepted', 'refused'] as const
const files = folders.flatMap((folder) => readdirSync(at(folder)).map((name) => `${folder}/${name}`))

/** The errors of all programs, by their files. */
function compile(): Map<string, Finding[]> {
  const findings = new Map<string, Finding[]>(files.map((file) => [file, []]))
  const program = ts.createProgram(files.map(at), options)
  for (const { file, start, messageText } of ts.getPreEmitDiagnostics(program)) {
    const message = ts.flattenDiagnosticMessageText(messageText, '\n')
    const own = file && findings.get(file.fileName.split('/').slice(-2).join('/'))
    const line = file ? file.getLineAndCharacterOfPosition(start ?? 0).line + 1 : 0
    // An error elsewhere, such as in the declarations, fails every program.
    for (const each of own ? [own] : findings.values()) each.push({ line, message })
  }
  return findings
}

/** What the comments `// error: ...` of a program expect of the line that follows; `…` stands for any text. */
function expected(path: string): { line: number; message: RegExp }[] {
  const lines = readFileSync(at(path), 'utf8').split('\n')
  return lines.flatMap((line, index) => {
    const [, message] = /^\s*\/\/ error: (.*)$/.exec(line) ?? []
    return message === undefined ? [] : [{ line: index + 2, message: pattern(message) }]
  })
}

function pattern(message: string): RegExp {
  return new RegExp(message.replaceAll(/[^\w\s…]/g, '\\$&').replaceAll('…', '[^]*'))
}

const of = (folder: string): string[] => files.filter((file) => file.startsWith(`${folder}/`))
const findings = compile()

test.each(of('accepted'))('a program compiles: %s (N9)', (file) => {
  expect(findings.get(file)).toEqual([])
})

describe.each(of('refused'))('a program that must not compile: %s', (file) => {
  test('has exactly the errors that it names, at their lines (N9)', () => {
    const named = expected(file)
    expect(named.length).toBeGreaterThan(0)
    expect(findings.get(file)).toEqual(
      named.map(({ line, message }) => ({ line, message: expect.stringMatching(message) as string })),
    )
  })

  test('has no error that mentions the type never (N9)', () => {
    expect(findings.get(file)!.filter(({ message }) => /\bnever\b/.test(message))).toEqual([])
  })
})
