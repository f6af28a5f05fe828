import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect, type WebSocket } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
import { closeOf, SILENT_PEER } from '../support/close-of.js'
import { Program } from '../support/program.js'
import { DENIED } from '../support/requirements-reporter.js'
import { runningServer } from '../support/running-server.js'
import { startForwarder } from '../support/stopped-forwarder.js'

/** Ways to start a process with its own network and firewall rules: as root, as any user, with sudo. */
const WAYS: readonly [string, ...string[]][] = [
  ['unshare', '--net'],
  ['unshare', '--user', '--map-root-user', '--net'],
  ['sudo', '-n', 'unshare', '--net'],
]

/** Brings up the loopback interface, and checks that there is a firewall with a rule without effect. */
const PROBE = 'ip link set lo up && iptables -A INPUT -p tcp --dport 9 -j DROP'

let found: readonly [string, ...string[]] | false | undefined

/** Why no process can run in a network namespace with a firewall, or `undefined`. */
function noNetworkNamespace(): string | undefined {
  found ??=
    WAYS.find(
      ([program, ...args]) =>
        spawnSync(program, [...args, 'sh', '-c', PROBE], { stdio: 'ignore' }).status === 0,
    ) ?? false
  return found === false ? `${DENIED} a network namespace with ip and iptables` : undefined
}

/** Runs a script of this repository in a separate network, until the test ends. */
function inNetworkNamespace(script: URL, ...args: string[]): Program {
  const reason = noNetworkNamespace()
  if (found === undefined || found === false) throw new Error(reason)
  const [program, ...way] = found
  const run = new Program(program, [...way, process.execPath, fileURLToPath(script), ...args])
  onTestFinished(async () => {
    await run.stop('SIGKILL')
  })
  return run
}

const heartbeat = { interval: 200, timeout: 200 }
/** A Ping of the heartbeat has 4 random bytes. */
const PING = 2 + 4

/**
 * A connection that answers, beside the one that dies. One timer checks both, so its Pongs measure the time
 * that the other had. There are at most three within one interval and one timeout of the same length.
 */
async function witness(url: string): Promise<{ readonly socket: WebSocket; beats: number }> {
  const beating = { socket: await connect(url), beats: 0 }
  beating.socket.on('ping', () => beating.beats++)
  return beating
}

async function pongs(
  socket: { once(event: 'pong', listener: () => void): unknown },
  count: number,
): Promise<void> {
  for (let beats = 0; beats < count; beats++) {
    await new Promise<void>((resolve) => {
      socket.once('pong', resolve)
    })
  }
}

/** Starts a client in a process of its own, which ends with the test. */
function startPeer(url: string): Program {
  const script = fileURLToPath(new URL('peer-process.js', import.meta.url))
  const peer = new Program(process.execPath, [script, url])
  onTestFinished(async () => {
    await peer.stop('SIGKILL')
  })
  return peer
}

test('pings a stopped process once more, then closes its connection with 1006 and no other', async () => {
  // The process answers twice before, and may be slow.
  const { server, url, next } = await runningServer({ heartbeat: { interval: 200, timeout: 1000 } })
  const other = await witness(url)
  await next()
  const peer = startPeer(url)
  const { socket, request } = await next()
  await pongs(socket, 2)
  const closed = closeOf(socket)
  void peer.stop('SIGSTOP')
  const [written, beats] = [request.socket.bytesWritten, other.beats]
  expect(await closed).toMatchObject(SILENT_PEER)
  expect(request.socket.bytesWritten - written).toBe(PING)
  // 200 ms and 1000 ms: the other one is pinged at most seven times.
  expect(other.beats - beats).toBeLessThanOrEqual(7)
  expect(other.socket.readyState).toBe(1)
  expect(server.stats()).toMatchObject({ connections: 1, terminated: { WS_ERR_SILENT_PEER: 1 } })
  // When the process continues, it finds that its connection has ended.
  void peer.stop('SIGCONT')
  expect(await peer.exit).toEqual({ code: 0, signal: null })
  expect(peer.lines.at(-1)).toBe('close 1006')
  expect(peer.lines.filter((line) => line === 'ping')).toHaveLength(3)
})

test('keeps the connection of a process that stops and continues in time', async () => {
  const { url, next } = await runningServer({ heartbeat: { interval: 100, timeout: 20_000 } })
  const other = await witness(url)
  await next()
  const peer = startPeer(url)
  const { socket } = await next()
  await pongs(socket, 1)
  void peer.stop('SIGSTOP')
  const { beats } = other
  while (other.beats < beats + 4) await once(other.socket, 'ping')
  void peer.stop('SIGCONT')
  await pongs(socket, 2)
  socket.send('still there')
  await peer.line(/^message still there$/)
  expect(socket.readyState).toBe(1)
})

test('closes a connection at both ends when a forwarder stops forwarding it', async () => {
  const { port, url, next } = await runningServer({ heartbeat })
  const other = await witness(url)
  await next()
  const forwarder = await startForwarder(port)
  const [client, { socket, request }] = await Promise.all([
    connect(`ws://127.0.0.1:${forwarder.port}`, { heartbeat }),
    next(),
  ])
  await pongs(socket, 2)
  const ends = [socket, client].map(closeOf)
  forwarder.cut()
  const [written, beats] = [request.socket.bytesWritten, other.beats]
  expect(await ends[0]).toMatchObject(SILENT_PEER)
  expect(request.socket.bytesWritten - written).toBe(PING)
  expect(other.beats - beats).toBeLessThanOrEqual(3)
  expect(await ends[1]).toMatchObject(SILENT_PEER)
  expect(other.socket.readyState).toBe(1)
})

test('closes a connection at both ends when a firewall cuts it', async (context) => {
  const reason = noNetworkNamespace()
  if (reason !== undefined) context.skip(reason)
  const run = inNetworkNamespace(new URL('cut-by-firewall.js', import.meta.url))
  expect(await run.exit, run.lines.join('\n')).toEqual({ code: 0, signal: null })
  const said = run.lines.map((line) => JSON.parse(line) as { what: string; beats: number })
  const lost = { code: 1006, wasClean: false, initiator: 'local', cause: 'WS_ERR_SILENT_PEER' }
  const server = said.find(({ what }) => what === 'server')
  expect(server).toMatchObject({ ...lost, bytes: PING })
  expect(server?.beats).toBeLessThanOrEqual(3)
  expect(said.find(({ what }) => what === 'client')).toMatchObject(lost)
  expect(said.at(-1)).toMatchObject({ what: 'the rest', witness: 1, terminated: { WS_ERR_SILENT_PEER: 1 } })
})
