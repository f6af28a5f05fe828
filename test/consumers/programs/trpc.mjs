// A query of 3 MB, a subscription, and a reconnect.
// hubwire: with `textType: 'buffer'` at the server, and `maxPayload` for 3 MB at both ends
import assert from 'node:assert/strict'
import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { initTRPC } from '@trpc/server'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import { WebSocket, WebSocketServer } from '#engine'

const t = initTRPC.create()
const router = t.router({
  echo: t.procedure.input((value) => value).query(({ input }) => input),
  count: t.procedure.subscription(async function* () {
    for (let count = 1; count <= 3; count++) yield count
  }),
})
const maxPayload = 4 * 1024 * 1024
class Client extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { maxPayload })
  }
}
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload, textType: 'buffer' })
await new Promise((resolve) => server.once('listening', resolve))
const handler = applyWSSHandler({
  wss: server,
  router,
  keepAlive: { enabled: true, pingMs: 100, pongWaitMs: 1000 },
})
let opened = 0
let reopen
const reopened = new Promise((resolve) => (reopen = resolve))
const ws = createWSClient({
  url: `ws://127.0.0.1:${server.address().port}`,
  WebSocket: Client,
  retryDelayMs: () => 10,
  onOpen: () => {
    if (++opened === 2) reopen()
  },
})
const client = createTRPCClient({ links: [wsLink({ client: ws })] })
const long = 'x'.repeat(3_000_000)
assert.equal(await client.echo.query(long), long)
const counts = []
await new Promise((resolve, reject) => {
  client.count.subscribe(undefined, { onData: (n) => counts.push(n), onComplete: resolve, onError: reject })
})
assert.deepEqual(counts, [1, 2, 3])
for (const socket of server.clients) socket.terminate()
await reopened
assert.equal(await client.echo.query('again'), 'again')
assert.equal(opened, 2)
await ws.close()
handler.broadcastReconnectNotification()
server.close()
