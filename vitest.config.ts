import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Alias } from 'vite'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { entryPoints } from './scripts/entry-points.mjs'
import { importsOf } from './test/support/imports.js'

// HUBWIRE_BUILT=1 runs the same tests against the built code, which Node.js then loads unchanged. This is how other versions
// of Node.js are tested. A test that imports public entry points alone gets the published code in dist/. One that also
// imports internals, which dist/ does not export, gets all from build/: the same modules before they are bundled. Coverage
// is measured on src/ only.
const built = process.env.HUBWIRE_BUILT === '1'

// Tests of tools, browsers and other packages, and of the sources, need no second run on another version.
const once = built
  ? [
      'test/package/{layering,node16,types,ws}.test.ts',
      'test/types/**',
      'test/browser/{browsers,bundles}.test.ts',
      'test/interop/{chat-page,chat-page.layout,stats-page}.test.ts',
      'test/proxies/vite*.test.ts',
      'test/consumers/**',
    ]
  : []

// HUBWIRE_RUNS=50 gives property tests 50 times as many cases (test/support/runs.ts), and the time for them.
const timeout = 30_000 * Number(process.env.HUBWIRE_RUNS ?? '1')

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** What the entry points of the package resolve to. */
function entryPointsAt(fileOf: (name: string, module: string) => string): Alias[] {
  return Object.entries(entryPoints).map(([name, module]) => ({
    find: new RegExp(`^${`hubwire/${name}`.replace(/\/index$/, '')}$`),
    replacement: at(fileOf(name, module)),
  }))
}
const bundled = entryPointsAt((name) => `dist/${name}.js`)
const modules = built
  ? [
      ...entryPointsAt((_name, module) => `build/${module}.js`),
      { find: /^#src\//, replacement: at('build/') },
    ]
  : [
      ...entryPointsAt((_name, module) => `src/${module}.ts`),
      { find: /^#src\/(.*)\.js$/, replacement: at('src/$1.ts') },
    ]

/** Whether a test imports internals, by itself or by what it imports. */
function importsInternals(file: string, seen = new Set<string>()): boolean {
  if (seen.has(file)) return false
  seen.add(file)
  return importsOf(readFileSync(file, 'utf8')).some((name) => {
    if (!name.startsWith('.')) return name.startsWith('#src/')
    const path = join(dirname(file), name)
    const source = [path, path.replace(/\.js$/, '.ts')].find((one) => existsSync(one))
    return source !== undefined && importsInternals(source, seen)
  })
}

const tests = readdirSync(at('test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
  .map((path) => `test/${path.replaceAll(sep, '/')}`)
const ofInternals = built ? tests.filter((file) => importsInternals(at(file))) : tests
const ofThePackage = tests.filter((file) => !ofInternals.includes(file))

/** A project of tests. With HUBWIRE_BUILT=1 its tests of internals are another one. */
function project(
  name: string,
  include: string[],
  exclude: string[] = [],
  globalSetup: string[] | string = [],
): TestProjectInlineConfiguration[] {
  const of = (suffix: string, alias: Alias[], others: string[]): TestProjectInlineConfiguration => ({
    extends: true,
    resolve: { alias },
    test: { name: name + suffix, include, exclude: [...exclude, ...others], globalSetup },
  })
  return built
    ? [of('', bundled, ofInternals), of('-internals', modules, ofThePackage)]
    : [of('', modules, [])]
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: timeout,
    hookTimeout: timeout,
    teardownTimeout: 10_000,
    expandSnapshotDiff: true,
    // Of a browser or another process on a busy machine, which may take longer than the default of 1 s.
    expect: { poll: { timeout: timeout / 2 } },
    server: { deps: { external: [/\/(?:build|dist)\//] } },
    reporters: ['default', at('test/conformance/reporter.ts'), at('test/support/requirements-reporter.ts')],
    projects: [
      ...project(
        'unit',
        ['test/**/*.test.ts'],
        ['test/{conformance,consumers,examples,interop,package,proxies,types}/**', ...once],
      ),
      ...project('conformance', ['test/conformance/**/*.test.ts']),
      ...project('examples', ['test/examples/**/*.test.ts']),
      ...project('interop', ['test/{interop,proxies}/**/*.test.ts'], once),
      ...project('consumers', ['test/consumers/*.test.ts'], once, at('test/consumers/install.ts')),
      ...project('package', ['test/{package,types}/**/*.test.ts'], once),
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // It throws where it is loaded; test/browser/bundles.test.ts loads it as a page does.
      exclude: ['src/not-for-pages.ts'],
      // Files are in coverage/index.html: a table of them would push failed tests out of a log of which only the end is kept.
      reporter: ['text-summary', 'html'],
      reportOnFailure: true,
      thresholds: {
        'src/protocol/**': { lines: 100, branches: 100, functions: 100, statements: 100 },
        // Without the tests in real browsers, whose code is not measured.
        'src/browser/**': { lines: 100, branches: 100, functions: 100, statements: 100 },
        'src/!(protocol)/**': { lines: 95, branches: 95, functions: 95, statements: 95 },
      },
    },
  },
})
