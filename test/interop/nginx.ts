import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/free-port.js'
import { Program } from '../support/program.js'
import { programPath } from '../support/requirements.js'
import type { PeerServerProgram } from './run-scenarios.js'

/** What nginx needs to know to pass upgrades on, and the rest as one passes on HTTP. */
const configuration = (folder: string, port: number, upstream: string): string => `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr info;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;

  map $http_upgrade $connection_upgrade {
    default upgrade;
    '' close;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://${upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }
}
`

/** nginx on a port of its own, which passes everything on to one host and port. */
export async function startNginx(upstream: string): Promise<{ host: string; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'hubwire-nginx-'))
  const port = await freePort()
  const file = join(folder, 'nginx.conf')
  await writeFile(file, configuration(folder, port, upstream))
  const program = new Program(programPath('nginx'), ['-p', folder, '-c', file, '-e', 'stderr'])
  await program.line(/start worker process \d+/)
  return {
    host: `127.0.0.1:${port}`,
    async stop() {
      await program.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A server as it is seen through nginx. */
export function behindNginx(program: PeerServerProgram): PeerServerProgram {
  return {
    abilities: program.abilities,
    async start(deflate) {
      const server = await program.start(deflate)
      const nginx = await startNginx(new URL(server.url).host)
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
