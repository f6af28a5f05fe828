import { fileURLToPath } from 'node:url'
import { connect, type WebSocket, type WebSocketOptions } from 'hubwire'
import { onTestFinished } from 'vitest'
import { inbox, type Data } from '../support/inbox.js'
import { Program } from '../support/program.js'
import type { Queue } from '../support/queue.js'

const script = fileURLToPath(new URL('../../examples/worker/server.js', import.meta.url))

/**
 * Runs examples/worker at a port or the path of a unix socket, until it is stopped or the test ends.
 *
 * @param takeover - whether it replaces a running worker at that path
 */
export async function startWorker(place: string, takeover = false): Promise<Program> {
  const program = new Program(process.execPath, [script, place, ...(takeover ? ['takeover'] : [])])
  onTestFinished(async () => {
    await program.stop('SIGKILL')
  })
  await program.line(/The worker listens/)
  return program
}

/** A connection to a worker. */
export interface Visitor {
  readonly socket: WebSocket
  /** The port or path that the worker was started with. */
  readonly worker: string
  /** The address of this client as the worker sees it. */
  readonly address: string | undefined
  readonly messages: Queue<Data>
}

/** Connects to a worker and reads its first message. The connection ends with the test. */
export async function visit(url: string, options: WebSocketOptions = {}): Promise<Visitor> {
  const socket = await connect(url, options)
  onTestFinished(() => {
    socket.terminate()
  })
  const messages = inbox(socket)
  const hello = JSON.parse((await messages.next()) as string) as { worker: string; address?: string }
  return { socket, worker: hello.worker, address: hello.address, messages }
}

/** Resolves to whether the connection works both ways. */
export async function answers({ socket, messages }: Visitor): Promise<boolean> {
  socket.send('still there?')
  return (await messages.next()) === 'still there?'
}
