import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseJson } from './json.js'
import { directoryOf } from './load/peers.js'

/**
 * @typedef {object} Environment
 * @property {string} date ISO 8601
 * @property {string} processor
 * @property {number} cores
 * @property {number} memory GiB
 * @property {string} system
 * @property {string} node
 * @property {Record<string, string>} versions of the peers
 */

/**
 * The machine and the versions with which the figures are taken.
 *
 * @param {string} node the executable that is measured
 * @returns {Environment}
 */
export function describeEnvironment(node) {
  /** @type {Record<string, string>} */
  const versions = {}
  for (const name of ['hubwire', 'ws', 'bufferutil', 'websocket', 'bun']) {
    const version = versionOf(name)
    if (version !== null) versions[name] = version
  }
  return {
    date: new Date().toISOString(),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim(),
    versions,
  }
}

/** @param {string} name */
function versionOf(name) {
  const directory = directoryOf(name)
  if (directory === null) return null
  const manifest = /** @type {{ version: string }} */ (
    parseJson(readFileSync(join(directory, 'package.json'), 'utf8'))
  )
  return manifest.version
}

/** @param {Environment} environment */
export function environmentLine({ date, processor, cores, node, versions }) {
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${date.slice(0, 10)}, ${processor}, ${cores} cores, Node.js ${node}, ${peers.join(', ')}`
}
