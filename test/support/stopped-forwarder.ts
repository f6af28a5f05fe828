import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A forwarder between a client and a server, like a router, that can stop forwarding. */
export interface Forwarder {
  readonly port: number
  /**
   * Stops forwarding both ways without closing anything: for each end the other has vanished.
   *
   * @param connection - the connection to cut, counted from 0; all by default. Later ones are still forwarded
   */
  cut(connection?: number): void
}

/** Starts a forwarder in front of a port of 127.0.0.1, until the test ends. */
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
        // Read and discarded: sent data is accepted and lost, and the end of one side is not forwarded to the other.
        socket.removeAllListeners('end').resume()
      }
    },
  }
}
