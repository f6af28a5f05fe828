import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** How many bytes are forwarded from the client and from the server. All by default. */
export interface Passed {
  readonly request?: number
  readonly response?: number
}

/** A proxy for one connection, which forwards a limited number of bytes and resets both sides on request. */
export interface ResettingProxy {
  readonly url: string
  /** Resolves when the last byte has been forwarded. */
  readonly reached: Promise<void>
  reset(): void
}

/** Starts a proxy in front of a port of 127.0.0.1, until the test ends. */
export async function resettingProxy(
  port: number,
  { request = Infinity, response = Infinity }: Passed = {},
): Promise<ResettingProxy> {
  const sockets: Socket[] = []
  let reach = (): void => {}
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  const proxy = createServer({ noDelay: true }, (client) => {
    const server = connect({ port, host: '127.0.0.1', noDelay: true })
    sockets.push(client, server)
    for (const socket of [client, server]) socket.on('error', () => {})
    pass(client, server, request, reach)
    pass(server, client, response, reach)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  return { url: `ws://127.0.0.1:${(proxy.address() as AddressInfo).port}`, reached, reset }
}

/** Forwards bytes up to a limit, and drops the rest. */
function pass(from: Socket, to: Socket, limit: number, onLimit: () => void): void {
  let left = limit
  from.on('data', (chunk: Buffer) => {
    if (left === 0) return
    const passed = chunk.subarray(0, left)
    left -= passed.length
    to.write(passed, left === 0 ? onLimit : undefined)
  })
}
