// Runs the tests against the built code (vitest.config.ts) on the versions of Node.js in scripts/other-nodes/package.json.
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOtherNodes } from './other-nodes/install.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const vitest = [join('node_modules', 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)]

for (const { version, bin } of installOtherNodes()) {
  console.log(`\nThe built package on Node.js ${version}`)
  const { status, error } = spawnSync(join(bin, 'node'), vitest, {
    cwd: root,
    stdio: 'inherit',
    // Programs that a test starts as `node` then have the same version.
    env: { ...process.env, HUBWIRE_BUILT: '1', PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
  })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}
