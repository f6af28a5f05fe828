import { chmodSync, existsSync, lstatSync, renameSync, unlinkSync } from 'node:fs'
import type { Server } from 'node:http'
import { connect, createServer, type Server as SocketServer, type Socket } from 'node:net'
import { dirname, resolve } from 'node:path'
import { ignore } from '../options/ignore.js'
import { startListening } from './start-listening.js'

/** The kernel's limit for the path of a socket (`sun_path` of macOS, 104 bytes with its end) less our longest suffix. */
const LONGEST_PATH = 92

/** How a server listens on a unix socket. */
interface UnixSocketOptions {
  /** The path of the socket. A file that a killed process left there is replaced. */
  unixPath: string
  /** The file mode; by default the umask of the process decides. Clients need the permission to write. */
  unixMode?: number
  /** Replaces the socket of a running server, which keeps its open connections; `false` by default. */
  takeover?: boolean
  /** The most connections that may wait to be accepted. */
  backlog?: number
}

/** The path of each server, which was bound to another name. */
const paths = new WeakMap<object, string>()

/** The path of the unix socket on which a server listens, if it does. */
export function unixPathOf(server: Server): string | undefined {
  return server.listening ? paths.get(server) : undefined
}

let count = 0

/**
 * Listens on a unix socket. The server is bound to a temporary name, gets its mode, and is then renamed to the path. So
 * clients find a complete socket at any time, and a server that closes never removes the file of its successor.
 * Starting servers hold a lock one after the other, so that each finds either a running server or nothing.
 *
 * @returns once it listens; rejects with what prevents it
 * @throws RangeError if the path is too long
 */
export async function listenOnUnixSocket(server: Server, options: UnixSocketOptions): Promise<void> {
  const { unixMode, takeover = false, backlog } = options
  const path = resolve(options.unixPath)
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new RangeError(
      `unixPath must be at most ${LONGEST_PATH} bytes long, because the system limits it; it is ${path}`,
    )
  }
  let isClosed = false
  const onClose = (): void => {
    isClosed = true
  }
  server.once('close', onClose)
  const release = await lock(path)
  try {
    await checkVacant(path, takeover)
    if (!isClosed) await bind(server, path, unixMode, backlog)
  } finally {
    server.off('close', onClose)
    await release()
  }
}

/** @throws EADDRINUSE if a server listens there that is not to be taken over, or if the file is not a socket */
async function checkVacant(path: string, takeover: boolean): Promise<void> {
  const answer = await probe(path)
  if (answer === 'absent' || answer === 'stale') return
  if (answer === 'live' && takeover) return
  throw addressInUse(path)
}

async function bind(
  server: Server,
  path: string,
  unixMode: number | undefined,
  backlog: number | undefined,
): Promise<void> {
  const own = `${path}.${process.pid.toString(36)}${(count++ % 1296).toString(36)}`
  await startListening(server, { path: own, backlog }, () => {
    if (unixMode !== undefined) chmodSync(own, unixMode)
    renameSync(own, path)
    paths.set(server, path)
    removeWhenClosed(server, path)
  })
}

/** Removes the file with the server, unless another server has replaced it. */
function removeWhenClosed(server: Server, path: string): void {
  const own = identity(path)
  server.once('close', () => {
    // It may listen elsewhere later.
    paths.delete(server)
    if (own !== undefined && identity(path) === own) unlinkSync(path)
  })
}

/** Identifies a file among all that have had its name. Inode numbers are reused, so the creation time is part of it. */
function identity(path: string): string | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return stat && `${stat.dev}:${stat.ino}:${stat.mtimeNs}`
}

type Answer = 'absent' | 'stale' | 'live' | 'other'

/** What is at a path: nothing, a socket without a listener, a socket with one, or another file. */
async function probe(path: string): Promise<Answer> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return 'absent'
  if (!stat.isSocket()) return 'other'
  const [code, socket] = await open(path)
  socket.destroy()
  if (code === 'ECONNREFUSED') return 'stale'
  return code === 'ENOENT' ? 'absent' : 'live'
}

/** Connects; the code of the error if that fails. */
async function open(path: string): Promise<[code: string | undefined, socket: Socket]> {
  const socket = connect(path)
  const code = await new Promise<string | undefined>((done) => {
    socket.once('connect', () => done(undefined))
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code))
  })
  socket.on('error', ignore)
  return [code, socket]
}

/**
 * Acquires the lock. The lock is a unix socket too, so it is released when its process ends, however that ends.
 *
 * @returns a function that releases the lock
 */
async function lock(path: string): Promise<() => Promise<void>> {
  const file = `${path}.lock`
  for (;;) {
    const waiting = new Set<Socket>()
    const holder = createServer((socket) => {
      waiting.add(socket)
      socket.on('error', ignore)
    })
    const error = await tryListen(holder, file)
    if (error === undefined) {
      return async () => {
        const closed = new Promise((done) => holder.close(done))
        for (const socket of waiting) socket.destroy()
        await closed
      }
    }
    if (error.code !== 'EADDRINUSE') {
      throw existsSync(dirname(path)) ? renamed(error, file, path) : missingFolder(path)
    }
    const obstacle = await waitForHolder(file)
    if (obstacle !== undefined) throw lockError(obstacle, file, path)
  }
}

function tryListen(server: SocketServer, path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((done) => {
    server.once('error', done)
    server.listen({ path }, () => done(undefined))
  })
}

/**
 * Returns when the holder of the lock has closed it, or when a lock that a killed process left has been removed. The
 * holder may have closed it already (`ENOENT`), may close it before it accepts us (`ECONNRESET`), or so many may wait for
 * it that its backlog is full (`EAGAIN`).
 *
 * @returns the code of an error that will not pass by itself, or `undefined`
 */
async function waitForHolder(file: string): Promise<string | undefined> {
  const [code, socket] = await open(file)
  if (code === undefined) {
    socket.resume()
    if (!socket.closed) await new Promise((done) => socket.once('close', done))
    return undefined
  }
  socket.destroy()
  if (code === 'ECONNRESET' || code === 'EAGAIN') return undefined
  if (code !== 'ENOENT' && code !== 'ECONNREFUSED') return code
  // A symbolic link to nothing is in the way too, although there is nothing to connect to (ENOENT).
  if (lstatSync(file, { throwIfNoEntry: false })?.isSocket() === false) return 'EADDRINUSE'
  if (code === 'ENOENT') return undefined
  const moved = `${file}${process.pid.toString(36)}`
  try {
    // Another starting process may have replaced it in the meantime, so check what was moved.
    renameSync(file, moved)
    if ((await probe(moved)) === 'live') renameSync(moved, file)
    else unlinkSync(moved)
  } catch (error) {
    // Another starter was faster.
    const { code: failure } = error as NodeJS.ErrnoException
    return failure === 'ENOENT' ? undefined : failure
  }
  return undefined
}

function addressInUse(address: string): Error {
  const error = new Error(`listen EADDRINUSE: address already in use ${address}`)
  return Object.assign(error, { code: 'EADDRINUSE', syscall: 'listen', address })
}

/** Node.js reports EACCES, as for a folder that may not be written to. */
function missingFolder(address: string): Error {
  const error = new Error(
    `listen ENOENT: the folder of the unix socket ${address} does not exist. Create it before the server starts`,
  )
  return Object.assign(error, { code: 'ENOENT', syscall: 'listen', address })
}

function lockError(code: string, file: string, address: string): Error {
  const error = new Error(
    `listen ${code}: cannot take the lock ${file}, which belongs to another user or is not a socket. ` +
      'Remove it, unless a server is starting',
  )
  return Object.assign(error, { code, syscall: 'listen', address })
}

/** The error of a file beside the socket, as that of the socket. */
function renamed(error: NodeJS.ErrnoException, from: string, address: string): Error {
  return Object.assign(new Error(error.message.replace(from, address), { cause: error }), {
    code: error.code,
    errno: error.errno,
    syscall: error.syscall,
    address,
  })
}
