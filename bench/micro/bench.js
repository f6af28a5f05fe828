import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { environmentLine } from '../environment.js'
import { parseJson } from '../json.js'
import { nodeVersions } from '../load/node-versions.js'
import { microTable, versionsTable } from '../report/micro-tables.js'
import { writeResults } from '../results-files.js'
import { measureSubjects } from './subjects.js'

/** @typedef {import('../options.js').Options} Options */
/** @typedef {import('../environment.js').Environment} Environment */
/** @typedef {import('./subject.js').SubjectResult} SubjectResult */

const NOTE = 'Medians with the quartiles in parentheses, two significant digits.'

/** @param {Options} options milliseconds for each contender */
function timeOf({ quick }) {
  return quick ? 60 : 500
}

/**
 * hubwire's functions compared with those of ws and bufferutil, in this process.
 *
 * @param {Options} options
 * @param {Environment} environment
 */
export async function benchMicro(options, environment) {
  const subjects = await measureSubjects(timeOf(options), (subject) => {
    console.log(microTable(subject))
  })
  const page = [
    '# Functions side by side',
    environmentLine(environment),
    NOTE,
    ...subjects.map((subject) => microTable(subject)),
  ]
  const json = JSON.stringify({ environment, subjects }, null, 2)
  writeResults('micro', !options.quick, { json: `${json}\n`, md: page.join('\n\n') })
}

/**
 * The same on every version of Node.js, each in a process of its own.
 *
 * @param {Options} options
 * @param {Environment} environment
 */
export function benchMicroOnNodes(options, environment) {
  const program = join(import.meta.dirname, 'main.js')
  const versions = nodeVersions().map((node) => {
    const { stdout, status } = spawnSync(node.executable, [program, String(timeOf(options))], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (status !== 0) throw new Error(`the functions could not be measured on Node.js ${node.version}`)
    return { node, subjects: /** @type {SubjectResult[]} */ (parseJson(stdout)) }
  })
  const tables = versionsTable(versions)
  console.log(tables)
  const page = [
    '# Functions on every version of Node.js',
    `${environmentLine(environment)}; Node.js ${versions.map(({ node }) => node.version).join(', ')}`,
    NOTE,
    tables,
  ]
  const json = JSON.stringify({ environment, versions }, null, 2)
  writeResults('micro-nodes', !options.quick, { json: `${json}\n`, md: page.join('\n\n') })
}
