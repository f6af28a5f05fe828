import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** Opens a TCP connection and returns both ends, which are destroyed after the test. */
export async function socketPair(
  options: { allowHalfOpen?: boolean } = {},
): Promise<{ here: Socket; there: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const there = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ...options })
  const [here] = (await once(server, 'connection')) as [Socket]
  server.close()
  onTestFinished(() => {
    here.destroy()
    there.destroy()
  })
  return { here, there }
}
