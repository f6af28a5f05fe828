import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { installOtherNodes } from '../../scripts/other-nodes/install.mjs'

/**
 * @typedef {object} NodeVersion
 * @property {string} name the major version, for example `24`
 * @property {string} version
 * @property {string} executable
 */

/**
 * The version that runs the bench and those of scripts/other-nodes, which are installed if necessary; from the oldest to
 * the newest, each major version once.
 *
 * @returns {NodeVersion[]}
 */
export function nodeVersions() {
  const own = { version: versionOf(process.execPath), executable: process.execPath }
  const others = installOtherNodes().map(({ version, bin }) => ({ version, executable: join(bin, 'node') }))
  const byName = new Map(
    [...others, own].map((each) => {
      const name = each.version.split('.')[0] ?? ''
      return [name, { name, ...each }]
    }),
  )
  return [...byName.values()].sort((one, other) => Number(one.name) - Number(other.name))
}

/** @param {string} executable */
function versionOf(executable) {
  return execFileSync(executable, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()
}

/**
 * A peer on one version of Node.js has this name in the results; Bun, which is a runtime of its own, keeps its name.
 *
 * @param {string} peer
 * @param {NodeVersion} node
 */
export function nameOn(peer, node) {
  return peer === 'bun' ? peer : `${peer} on ${node.name}`
}

/**
 * Each peer once for each version.
 *
 * @param {import('./peers.js').Peer[]} peers
 * @param {NodeVersion[]} nodes
 * @returns {import('./peers.js').Peer[]}
 */
export function onEach(peers, nodes) {
  return peers.flatMap((peer) =>
    peer.runtime === 'node'
      ? nodes.map((node) => ({ ...peer, name: nameOn(peer.name, node), node: node.executable }))
      : [peer],
  )
}
