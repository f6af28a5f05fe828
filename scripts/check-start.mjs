// Checks that `npm start` serves the demo, on every operating system: starts it on a free port, gets the page and ends
// it. It fails if the server does not start, answers with another page, or still listens afterwards.
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Installation and build included. */
const START_TIMEOUT = 300_000
const isWindows = process.platform === 'win32'
const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @typedef {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} Started */

/** @returns {Started} */
function start() {
  return spawn('npm', ['start'], {
    cwd: root,
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
    // On Windows npm is a batch file, which only a shell can start. Elsewhere npm and its children form a group of
    // processes, which gets a signal as a whole.
    shell: isWindows,
    detached: !isWindows,
  })
}

/**
 * @param {Started} child
 * @returns {Promise<string>} the address that the demo prints
 */
async function addressOf(child) {
  const timer = setTimeout(() => end(child), START_TIMEOUT)
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      console.log(`  ${line}`)
      const [address] = /http:\S+/.exec(line) ?? []
      if (address !== undefined) return address
    }
  } finally {
    clearTimeout(timer)
  }
  throw new Error('npm start ended, or took too long, before it printed an address')
}

/** @param {Started} child */
function end({ pid }) {
  if (pid === undefined) return
  if (isWindows) spawnSync('taskkill', ['/pid', String(pid), '/t', '/f'], { stdio: 'ignore' })
  else process.kill(-pid, 'SIGTERM')
}

const child = start()
const closed = new Promise((resolve) => child.once('close', resolve))
try {
  const address = await addressOf(child)
  // What the server prints afterwards must not fill the pipe.
  child.stdout.resume()
  const response = await fetch(address)
  const page = await response.text()
  const expected = readFileSync(join(root, 'examples', 'chat', 'page', 'index.html'), 'utf8')
  if (response.status !== 200 || page !== expected)
    throw new Error(`${address} answered ${response.status}:\n${page}`)
  end(child)
  await closed
  const isListening = await fetch(address).then(
    () => true,
    () => false,
  )
  if (isListening) throw new Error(`${address} still answers after npm start has ended`)
  console.log('npm start serves the page and ends')
} catch (error) {
  if (child.exitCode === null && child.signalCode === null) end(child)
  throw error
}
