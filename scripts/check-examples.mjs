// Type-checks the examples in README.md and docs/ against the built package: every block fenced as ts or js.
//
// Each block is compiled by itself, with these exceptions:
//   ```ts continued      is compiled together with the blocks before it, back to one that is not continued
//   ```js browser        is for a page: it is compiled with the types of the DOM instead of those of Node.js
//   <!-- given: ... -->  directly before a block contains TypeScript that is compiled with it and not shown, such as
//                        `import { type WebSocket } from 'hubwire'; declare const socket: WebSocket`
// Parameters in js blocks need no types.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
// Inside the package, so that `hubwire` resolves through its own exports.
const output = join(root, '.cache', 'examples')

/** @typedef {{ language: string, words: string[], start: number, lines: Map<number, string> }} Block */

/**
 * The blocks of one document. Lines keep their numbers, so that the compiler's messages point into the document.
 * @param {string} text
 */
function readBlocks(text) {
  /** @type {Block[]} */
  const blocks = []
  /** @type {Map<number, string>} */
  let given = new Map()
  /** @type {{ end: string, lines: Map<number, string> } | undefined} */
  let open
  for (const [number, line] of text.split('\n').entries()) {
    if (open) {
      if (line.trim().startsWith(open.end)) open = undefined
      else open.lines.set(number, line)
      continue
    }
    const comment = /^<!-- given:(.*?)(-->)?$/.exec(line.trimEnd())
    const fence = /^\s*(`{3,})(\S*)(.*)$/.exec(line)
    if (comment) {
      given = new Map([[number, comment[1] ?? '']])
      if (!comment[2]) open = { end: '-->', lines: given }
    } else if (fence) {
      const [, end = '', language = '', rest = ''] = fence
      const block = { language, words: rest.trim().split(/\s+/), start: number, lines: given }
      if (language === 'ts' || language === 'js') blocks.push(block)
      open = { end, lines: block.lines }
      given = new Map()
    } else if (line.trim() !== '') {
      given = new Map()
    }
  }
  return blocks
}

/** @param {Block[]} blocks @param {number} index */
function withThoseBefore(blocks, index) {
  const lines = new Map(blocks[index]?.lines)
  for (let at = index; at > 0 && blocks[at]?.words.includes('continued'); at--) {
    for (const [number, line] of blocks[at - 1]?.lines ?? []) lines.set(number, line)
  }
  return Array.from({ length: Math.max(...lines.keys()) + 1 }, (_, number) => lines.get(number) ?? '').join(
    '\n',
  )
}

const compilerOptions = {
  js: { noImplicitAny: false },
  ts: {},
  'js-browser': { noImplicitAny: false, types: [], lib: ['ES2023', 'DOM', 'DOM.Iterable'] },
  'ts-browser': { types: [], lib: ['ES2023', 'DOM', 'DOM.Iterable'] },
}

const docs = join(root, 'docs')
const documents = [
  'README.md',
  ...(existsSync(docs) ? readdirSync(docs, { recursive: true, encoding: 'utf8' }) : [])
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path)),
]

rmSync(output, { recursive: true, force: true })
let count = 0
for (const document of documents) {
  const blocks = readBlocks(readFileSync(join(root, document), 'utf8'))
  for (const [index, block] of blocks.entries()) {
    const group = join(output, block.language + (block.words.includes('browser') ? '-browser' : ''))
    const path = join(group, `${document}.${block.start + 1}.ts`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, withThoseBefore(blocks, index) + '\n')
    count++
  }
}

let failed = count === 0
for (const [group, options] of Object.entries(compilerOptions)) {
  const folder = join(output, group)
  if (!existsSync(folder)) continue
  const config = join(folder, 'tsconfig.json')
  const extended = {
    extends: join(root, 'tsconfig.base.json'),
    compilerOptions: { noEmit: true, ...options },
  }
  writeFileSync(config, JSON.stringify(extended))
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', config, '--pretty', 'false'], {
    cwd: root,
    encoding: 'utf8',
  })
  // `.cache/examples/ts/README.md.12.ts(14,3): error` is line 14 of README.md, in the block that begins at 12.
  const prefix = relative(root, folder) + '/'
  process.stdout.write(
    stdout.replaceAll(prefix, '').replace(/^(\S+\.md)\.\d+\.ts\((\d+),(\d+)\)/gm, '$1:$2:$3'),
  )
  failed ||= status !== 0
}
console.log(`${count} examples in ${documents.length} documents: ${failed ? 'FAILED' : 'they compile'}`)
process.exitCode = failed ? 1 : 0
