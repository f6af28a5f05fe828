import type { Close, PeerServer } from './peer.js'
import { startPython } from './python.js'
import type { PeerServerProgram } from './run-scenarios.js'

export const pythonWebsocketsServer: PeerServerProgram = {
  abilities: new Set(['inflate', 'deflate']),
  start,
}

async function start(deflate: boolean): Promise<PeerServer> {
  const program = startPython('python3-websockets', 'websockets_server.py', { deflate })
  const [port] = await program.line(/(?<="port": )\d+/)
  return {
    url: `ws://127.0.0.1:${port}`,
    async closeOf(id) {
      const { input } = await program.line(new RegExp(`^{"id": "${id}"`))
      const { code, reason } = JSON.parse(input) as Close
      return { code, reason }
    },
    async stop() {
      await program.stop()
    },
  }
}
