import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox } from '../support/inbox.js'
import { Program } from '../support/program.js'
import { runningServer } from '../support/running-server.js'

const script = fileURLToPath(new URL('./client.js', import.meta.url))
const folderOf = (name: string): string =>
  dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
const bun = join(folderOf('bun'), 'bin', 'bun.exe')
const deno = join(folderOf('deno'), process.platform === 'win32' ? 'deno.exe' : 'deno')

// Node.js 20 has the global class behind this option; from version 22 on it is there without.
test.each([
  ["Node.js by hubwire's own class", process.execPath, [], '1'],
  ['Node.js by the global class', process.execPath, ['--experimental-websocket'], ''],
  ['Bun by the global class', bun, [], ''],
  ['Deno by the global class', deno, ['run', '--allow-env', '--allow-net', '--allow-read'], ''],
])('connects, comes back and ends by itself in %s', async (_where, path, options, own) => {
  const { url, next } = await runningServer()
  const program = new Program(path, [...options, script], { URL: url, OWN: own })
  onTestFinished(async () => {
    await program.stop('SIGKILL')
  })
  const first = await next()
  const received = inbox(first.socket)
  first.socket.send('hello')
  expect(await received.next()).toBe('answer to hello')
  first.socket.terminate()
  const second = await next()
  const closed = closeOf(second.socket)
  second.socket.send('end')
  expect(await closed).toMatchObject({ code: 4000, reason: 'as told', wasClean: true })
  // Nothing of the client keeps the program running.
  expect(await program.exit).toEqual({ code: 0, signal: null })
  const course = 'connecting,open,got hello,sent,waiting,connecting,open,got end,closed'
  expect(program.lines.filter((line) => !line.includes('Warning')).join()).toContain(course)
})
