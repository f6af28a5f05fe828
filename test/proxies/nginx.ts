import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/free-port.js'
import { Program } from '../support/program.js'
import { programPath } from '../support/requirements.js'
import { exampleFile } from './example-file.js'

/** The main configuration around a site: it needs no root, and all its files are in nginx's prefix. */
const surroundings = (site: string, user: string): string => `
daemon off;
worker_processes 2;
${process.getuid?.() === 0 ? `user ${user};` : ''}
pid nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include ${site};
}
`

export interface Nginx {
  readonly port: number
  /** The host and port, as in a URL. */
  readonly host: string
  stop(): Promise<void>
}

/** Writes a site of examples/nginx with its main configuration into a folder, and returns the arguments that run it. */
function install(
  folder: string,
  site: string,
  instead: Readonly<Record<string, string>>,
  user = 'root root',
): string[] {
  writeFileSync(join(folder, site), exampleFile(`nginx/${site}`, instead))
  writeFileSync(join(folder, 'nginx.conf'), surroundings(site, user))
  return ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr']
}

/**
 * Runs nginx with a site of examples/nginx on a free port.
 *
 * @param instead - further lines of the file to replace
 * @param user - the user of its workers, if started by root
 */
export async function startNginx(
  site: string,
  instead: Readonly<Record<string, string>> = {},
  user?: string,
): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'hubwire-nginx-'))
  if (user !== undefined) chmodSync(folder, 0o755)
  const port = await freePort()
  const listen =
    site === 'tls.conf'
      ? { 'listen 127.0.0.1:8443 ssl;': `listen 127.0.0.1:${port} ssl;` }
      : { 'listen 127.0.0.1:8080;': `listen 127.0.0.1:${port};` }
  const args = install(folder, site, { ...listen, ...instead }, user)
  const program = new Program(programPath('nginx'), args)
  await program.line(/start worker process \d+/)
  return {
    port,
    host: `127.0.0.1:${port}`,
    async stop() {
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Has nginx check a site, and returns its output. Only the names of files that must exist are replaced. */
export async function checkSite(
  folder: string,
  site: string,
  instead: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const program = new Program(programPath('nginx'), [...install(folder, site, instead), '-t'])
  await program.exit
  return program.lines
}
