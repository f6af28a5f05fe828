import { fileURLToPath } from 'node:url'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

// HUBWIRE_BUILT=1 runs the same tests against the published code in dist/, which Node.js then loads unchanged. This is how
// other versions of Node.js are tested. Coverage is measured on src/ only.
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
const code = built ? at('dist/') : at('src/')
const extension = built ? 'js' : 'ts'

const alias = [
  { find: /^hubwire$/, replacement: `${code}index.${extension}` },
  { find: /^hubwire\/browser$/, replacement: `${code}browser/index.${extension}` },
  { find: /^hubwire\/cluster$/, replacement: `${code}relay/cluster/cluster.${extension}` },
  { find: /^hubwire\/nats$/, replacement: `${code}relay/nats/nats.${extension}` },
  { find: /^hubwire\/protocol$/, replacement: `${code}protocol/index.${extension}` },
  { find: /^hubwire\/redis$/, replacement: `${code}relay/redis/redis.${extension}` },
  { find: /^hubwire\/testing$/, replacement: `${code}testing/testing.${extension}` },
  { find: /^hubwire\/ws$/, replacement: `${code}ws/index.${extension}` },
  { find: /^#src\/(.*)\.js$/, replacement: `${code}$1.${extension}` },
]

function project(
  name: string,
  include: string[],
  exclude: string[] = [],
  globalSetup: string[] | string = [],
): TestProjectInlineConfiguration {
  return { extends: true, test: { name, include, exclude, globalSetup } }
}

export default defineConfig({
  resolve: { alias },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: timeout,
    hookTimeout: timeout,
    teardownTimeout: 10_000,
    expandSnapshotDiff: true,
    server: { deps: { external: [/\/dist\//] } },
    reporters: ['default', at('test/conformance/reporter.ts'), at('test/support/requirements-reporter.ts')],
    projects: [
      project(
        'unit',
        ['test/**/*.test.ts'],
        ['test/{conformance,consumers,examples,interop,package,proxies,types}/**', ...once],
      ),
      project('conformance', ['test/conformance/**/*.test.ts']),
      project('examples', ['test/examples/**/*.test.ts']),
      project('interop', ['test/{interop,proxies}/**/*.test.ts'], once),
      project('consumers', ['test/consumers/*.test.ts'], once, at('test/consumers/install.ts')),
      project('package', ['test/{package,types}/**/*.test.ts'], once),
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // It throws where it is loaded; test/browser/bundles.test.ts loads it as a page does.
      exclude: ['src/not-for-pages.ts'],
      reporter: ['text', 'html'],
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
