import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type ClientInfo, type WebSocket } from 'hubwire'
import { Closes } from './closes.js'
import { pingPayload, splitFragments, type PeerServer } from './peer.js'
import type { PeerServerProgram } from './run-scenarios.js'

export const hubwireServer: PeerServerProgram = {
  abilities: new Set(['bare close', 'bytes', 'inflate', 'deflate']),
  start,
}

async function start(deflate: boolean): Promise<PeerServer> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    maxPayload: 4 * 1024 * 1024,
    perMessageDeflate: deflate,
    handleProtocols: (protocols) => (protocols.has('superchat') ? 'superchat' : false),
    verifyClient: ({ req }: ClientInfo) => req.url?.startsWith('/refused') !== true,
  })
  const closes = new Closes()
  server.on('connection', (socket, request) => {
    const url = new URL(request.url ?? '/', 'ws://localhost')
    socket.on('close', (code, reason) => {
      closes.file(url.searchParams.get('id') ?? '', { code, reason })
    })
    behave(socket, url, request)
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `ws://127.0.0.1:${port}`,
    closeOf: (id) => closes.of(id),
    stop: async () => {
      await server.shutdown({ timeout: 1000 })
    },
  }
}

function behave(socket: WebSocket<undefined>, url: URL, request: IncomingMessage): void {
  switch (url.pathname) {
    case '/echo':
      socket.on('message', (data) => socket.send(data))
      break
    case '/fragments':
      socket.on('message', () => {
        splitFragments.forEach((fragment, at) => {
          socket.send(fragment, { binary: false, fin: at === splitFragments.length - 1 })
        })
      })
      break
    case '/ping':
      socket.on('pong', (payload) => socket.send(`pong: ${payload.toString()}`))
      socket.ping(pingPayload)
      break
    case '/close': {
      const code = url.searchParams.get('code')
      if (code === null) socket.close()
      else socket.close(Number(code), url.searchParams.get('reason') ?? '')
      break
    }
    case '/bytes':
      socket.on('message', (data) => {
        const received = request.socket.bytesRead
        socket.send(data, {}, () =>
          socket.send(JSON.stringify({ received, sent: request.socket.bytesWritten })),
        )
      })
      break
  }
}
