import { once } from 'node:events'
import { appendFileSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from './child.js'
import { suiteCommand } from './suite.js'

/** Milliseconds between attempts to connect to the fuzzing server, and their number. */
const INTERVAL = 200
const ATTEMPTS = 300

/**
 * @typedef {object} Run
 * @property {string[]} suite the command that runs wstest
 * @property {string} directory for specifications and logs
 * @property {string} outdir for the reports of this direction
 * @property {string[]} cases
 * @property {string[]} peerOptions arguments for the peer under test
 * @property {AbortSignal} signal ends every process
 */

/** @typedef {'fuzzingclient' | 'fuzzingserver'} Mode of wstest */

/**
 * Runs hubwire's server against the fuzzing client.
 *
 * @param {Run} run
 */
export async function testServer(run) {
  const server = startPeer('echo-server.js', run.peerOptions, run.signal)
  try {
    const servers = [{ agent: 'hubwire', url: `ws://127.0.0.1:${await server.firstLine()}` }]
    const specification = await writeSpecification('fuzzing-client.json', run, { servers })
    await startSuite('fuzzingclient', specification, run).succeeded
    if (!server.running) await server.succeeded
  } finally {
    await server.end()
  }
}

/**
 * Runs hubwire's client against the fuzzing server.
 *
 * @param {Run} run
 */
export async function testClient(run) {
  const port = await freePort()
  const url = `ws://127.0.0.1:${port}`
  const specification = await writeSpecification('fuzzing-server.json', run, { url })
  const suite = startSuite('fuzzingserver', specification, run)
  try {
    await untilListening(port, suite)
    const client = startPeer('echo-client.js', [url, ...run.peerOptions], run.signal)
    try {
      await Promise.race([client.succeeded, suite.succeeded])
    } finally {
      await client.end()
    }
  } finally {
    await suite.end()
  }
}

/**
 * @param {string} file
 * @param {string[]} words
 * @param {AbortSignal} signal
 */
function startPeer(file, words, signal) {
  return new Child([process.execPath, join(import.meta.dirname, file), ...words], signal)
}

/**
 * Starts wstest. Its output goes to a file; each new section is printed.
 *
 * @param {Mode} mode
 * @param {string} specification
 * @param {Run} run
 */
function startSuite(mode, specification, run) {
  const suite = new Child(suiteCommand(run.suite, mode, specification), run.signal)
  const log = join(run.directory, `${mode}.log`)
  writeFileSync(log, '')
  let section = ''
  suite.onLine((line) => {
    appendFileSync(log, `${line}\n`)
    const entered = /^Running test case ID (\d+)\./.exec(line)?.[1]
    if (entered === undefined || entered === section) return
    section = entered
    console.log(`${mode}: section ${section}`)
  })
  return suite
}

/**
 * Writes the specification for wstest, completed for this run.
 *
 * @param {string} name
 * @param {Run} run
 * @param {object} addresses
 */
async function writeSpecification(name, { directory, outdir, cases }, addresses) {
  /** @type {object} */
  const given = JSON.parse(await readFile(join(import.meta.dirname, name), 'utf8'))
  const path = join(directory, name)
  await writeFile(path, JSON.stringify({ ...given, outdir, cases, ...addresses }, null, 2))
  return path
}

/** wstest needs a port number: the operating system chooses one that is free. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('the operating system gave no port')
  return address.port
}

/**
 * @param {number} port
 * @param {Child} suite
 */
async function untilListening(port, suite) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await accepts(port)) return
    if (!suite.running) await suite.succeeded
    await delay(INTERVAL)
  }
  throw new Error('the fuzzing server does not listen')
}

/** @param {number} port */
async function accepts(port) {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
