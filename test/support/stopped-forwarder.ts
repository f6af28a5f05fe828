import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** What stands between a client and a server, as a router does, and can stop to pass anything on. */
export interface Forwarder {
  readonly port: number
  /**
   * Passes nothing on any more, either way, and closes nothing: to each end the other has vanished.
   *
   * @param connection - the connection that is cut, counted from 0; all without it. Later ones are passed on
   */
  cut(connection?: number): void
}

/** Starts one in front of a port of the loopback. It ends with the test. */
export async function startForwarder(port: number): Promise<Forwarder> {
  const sockets: Socket[] = []
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true).on('error', () => to.destroy())
      from.pipe(to)
      sockets.push(from)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    port: (server.address() as AddressInfo).port,
    cut: (connection) => {
      const start = 2 * (connection ?? 0)
      for (const socket of sockets.slice(start, connection === undefined ? undefined : start + 2)) {
        socket.unpipe()
        // Read and thrown away: what is sent is taken, and reaches nobody; the end of one is not told to the other.
        socket.removeAllListeners('end').resume()
      }
    },
  }
}
