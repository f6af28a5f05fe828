import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** How many bytes pass, from the client and from the server; all by default. */
export interface Passed {
  readonly request?: number
  readonly response?: number
}

/** A proxy for one connection. It passes on what it is told to, and resets both sides when it is told to. */
export interface ResettingProxy {
  readonly url: string
  /** When the last byte that may pass is on its way. */
  readonly reached: Promise<void>
  reset(): void
}

/** Starts one in front of a port of 127.0.0.1. It ends with the test. */
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

/** Passes on up to a limit; what comes behind it is lost. */
function pass(from: Socket, to: Socket, limit: number, onLimit: () => void): void {
  let left = limit
  from.on('data', (chunk: Buffer) => {
    if (left === 0) return
    const passed = chunk.subarray(0, left)
    left -= passed.length
    to.write(passed, left === 0 ? onLimit : undefined)
  })
}
