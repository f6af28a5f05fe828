import { startNginx } from '../proxies/nginx.js'
import type { PeerServerProgram } from './run-scenarios.js'

/** A server behind nginx, with the configuration in examples/nginx for a TCP port. */
export function behindNginx(program: PeerServerProgram): PeerServerProgram {
  return {
    abilities: program.abilities,
    async start(deflate) {
      const server = await program.start(deflate)
      const nginx = await startNginx('tcp.conf', {
        'server 127.0.0.1:8000;': `server ${new URL(server.url).host};`,
      })
      return {
        url: `ws://${nginx.host}`,
        closeOf: (id) => server.closeOf(id),
        async stop() {
          await nginx.stop()
          await server.stop()
        },
      }
    },
  }
}
