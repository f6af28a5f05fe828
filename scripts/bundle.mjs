// Bundles build/, which has a file for each module of src/, to what is published: a file for each entry point, and few
// chunks that they share. Nothing is renamed but on a collision, and nothing minified, so stack traces are readable.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { transform } from 'esbuild'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import { entryPoints } from './entry-points.mjs'

const { 'ws/index': ws, ...declared } = entryPoints

/**
 * @param {string} build
 * @param {Record<string, string>} modules The modules of the files to write.
 * @param {object} options
 * @param {'js' | 'd.ts'} options.extension
 * @param {'es' | 'cjs'} [options.format]
 * @param {string[]} [options.chunks] Folders of src/ of which the modules become one chunk, those of entry points and of
 *   subfolders aside. Other modules that several files have make up one more chunk, core.
 * @param {import('rollup').Plugin[]} [options.plugins]
 * @returns {Promise<{ name: string, content: string, exports: string[] }[]>}
 */
async function bundle(build, modules, { extension, format = 'es', chunks = [], plugins = [] }) {
  const input = Object.fromEntries(
    Object.entries(modules).map(([name, module]) => [name, join(build, `${module}.${extension}`)]),
  )
  const entries = Object.values(input).map((path) => relative(build, path))
  const bundled = await rollup({
    input,
    external: /^node:/,
    plugins,
    onwarn({ message }) {
      throw new Error(message)
    },
  })
  const { output } = await bundled.generate({
    format,
    exports: 'named',
    entryFileNames: `[name].${extension}`,
    chunkFileNames: ({ name }) => `chunks/${chunks.includes(name) ? name : 'core'}.${extension}`,
    manualChunks(path) {
      const module = relative(build, path)
      return entries.includes(module) ? undefined : chunks.find((folder) => dirname(module) === folder)
    },
    hoistTransitiveImports: false,
    minifyInternalExports: false,
  })
  await bundled.close()
  return Promise.all(
    output.map(async (file) => {
      const name = file.fileName
      if (file.type !== 'chunk') return { name, content: String(file.source), exports: [] }
      const content = extension === 'js' && format === 'es' ? await indentedByTwo(file.code) : file.code
      return { name, content, exports: file.exports }
    }),
  )
}

/**
 * Formats a module anew: TypeScript indents by four, which makes the package 3 KB larger.
 *
 * @param {string} code
 */
async function indentedByTwo(code) {
  return (await transform(code, { target: 'es2023' })).code
}

/**
 * Declares what a module of an entry point does not export at run time as a type: the bundler of declarations exports
 * each class as a value, also one that `src/` exports as a type.
 *
 * @param {{ name: string, content: string }} declaration
 * @param {{ name: string, exports: string[] }[]} modules
 */
function withTypesAsTypes({ name, content }, modules) {
  const module = modules.find((each) => `${each.name.slice(0, -'.js'.length)}.d.ts` === name)
  if (module === undefined || name.startsWith('chunks/')) return content
  return content.replace(/^export \{ (.*) \}(| from '.*');$/gm, (_line, names, from) => {
    /** @param {string} item */
    const isValue = (item) => module.exports.includes(item.split(' as ').at(-1) ?? '')
    const items = String(names).split(', ')
    const values = items.filter(isValue)
    const types = items.filter((item) => !isValue(item))
    return [
      ...(values.length > 0 ? [`export { ${values.join(', ')} }${from};`] : []),
      ...(types.length > 0 ? [`export type { ${types.join(', ')} }${from};`] : []),
    ].join('\n')
  })
}

/** Where files are written, so that a file in dist/ is always complete, also while several builds run. */
const cache = join(import.meta.dirname, '..', '.cache')

/**
 * Makes these the files of a folder. A process may be running from it, or starting: a file that differs is replaced as a
 * whole, and those that are not needed any more are removed last.
 *
 * @param {string} folder
 * @param {[name: string, content: string][]} files
 */
function replaceFiles(folder, files) {
  mkdirSync(cache, { recursive: true })
  for (const [name, content] of files) {
    const path = join(folder, name)
    if (existsSync(path) && readFileSync(path, 'utf8') === content) continue
    mkdirSync(dirname(path), { recursive: true })
    const complete = join(cache, `${process.pid}-${basename(name)}`)
    writeFileSync(complete, content)
    renameSync(complete, path)
  }
  const wanted = files.map(([name]) => join(folder, name, sep))
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name)
    if (!wanted.some((file) => file.startsWith(join(path, sep))))
      rmSync(path, { recursive: true, force: true })
  }
}

/**
 * @param {{ name: string, content: string }} file
 * @returns {[name: string, content: string]}
 */
function fileOf({ name, content }) {
  return [name, content]
}

/** @param {string} root */
export async function bundlePackages(root) {
  const build = join(root, 'build')
  const [modules, declarations, commonJs] = await Promise.all([
    bundle(
      build,
      { ...entryPoints, 'not-for-pages': 'not-for-pages' },
      { extension: 'js', chunks: ['options', 'protocol', 'relay'] },
    ),
    bundle(build, declared, { extension: 'd.ts', chunks: ['protocol', 'relay'], plugins: [dts()] }),
    // packages/ws is the same code in CommonJS.
    bundle(build, { 'ws/index': ws }, { extension: 'js', format: 'cjs' }),
  ])
  // The types of hubwire/ws are written by hand.
  const written = ['ws/index.d.cts', 'ws/index.d.mts'].map(
    /** @returns {[name: string, content: string]} */
    (name) => [name, readFileSync(join(root, 'src', name), 'utf8')],
  )
  replaceFiles(join(root, 'dist'), [
    ...modules.map(fileOf),
    ...declarations.map((file) => fileOf({ name: file.name, content: withTypesAsTypes(file, modules) })),
    ...written,
  ])
  replaceFiles(join(root, 'packages', 'ws', 'dist'), [...commonJs.map(fileOf), ...written])
}
