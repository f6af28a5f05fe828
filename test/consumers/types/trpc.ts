import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { initTRPC } from '@trpc/server'
import { applyWSSHandler, type CreateWSSContextFnOptions } from '@trpc/server/adapters/ws'
import { WebSocket, WebSocketServer } from 'ws'

const createContext = ({ req, res }: CreateWSSContextFnOptions): { url: string | undefined } => {
  res.on('message', (data, isBinary) => {
    const bytes: Buffer | ArrayBuffer | Buffer[] = data
    res.send(bytes as Buffer, { binary: isBinary })
  })
  return { url: req.url }
}
const t = initTRPC.context<typeof createContext>().create()
const router = t.router({ url: t.procedure.query(({ ctx }) => ctx.url ?? '') })
const server = new WebSocketServer({ port: 0 })
const handler = applyWSSHandler({ wss: server, router, createContext })
for (const socket of server.clients) socket.terminate()
handler.broadcastReconnectNotification()
const client = createWSClient({
  url: 'ws://a.example',
  WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
})
export const url: Promise<string> = createTRPCClient<typeof router>({
  links: [wsLink({ client })],
}).url.query()
