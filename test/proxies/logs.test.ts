import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { connect, cookieToken, queryToken } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled } from '../support/event-loop.js'
import { freePort } from '../support/free-port.js'
import { requires } from '../support/requirements.js'
import { runningServer } from '../support/running-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { startNginx } from './nginx.js'

const document = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
const [, logFormat] = /^```nginx\n(log_format without_query [^]*?)^```$/m.exec(document)!

const TOKEN = 'eyJhbGciOi.secret'

/** Starts nginx with the log format of docs/operations.md, and with the most verbose error log of a release build. */
async function loggingNginx(port: number): Promise<{ host: string; access: string; error: string }> {
  const folder = temporaryFolder()
  const [access, error] = [join(folder, 'access.log'), join(folder, 'error.log')]
  const running = await startNginx('tcp.conf', {
    'server 127.0.0.1:8000;': `server 127.0.0.1:${port};`,
    'upstream hubwire {': `${logFormat!}\nupstream hubwire {`,
    'proxy_read_timeout 60s;': `access_log ${access} without_query;\nerror_log ${error} info;`,
  })
  onTestFinished(() => running.stop())
  return { host: running.host, access, error }
}

/** Returns the log once it contains the entry of a request. */
async function logged(path: string, entry: string): Promise<string> {
  for (;;) {
    const text = readFileSync(path, 'utf8')
    if (text.includes(entry)) return text
    await settled()
  }
}

describe('the logs of nginx with the format of docs/operations.md', requires('nginx'), () => {
  test('contain no token of the query while the worker runs (N14)', async () => {
    const { port } = await runningServer({
      authenticate: (request: IncomingMessage) => queryToken(request) === TOKEN && 'ada',
    } as object)
    const { host, access, error } = await loggingNginx(port)
    const client = await connect(`ws://${host}/chat?token=${TOKEN}`)
    client.close()
    await closeOf(client)
    await expect(connect(`ws://${host}/refused?token=${TOKEN}x`)).rejects.toThrow('401')
    expect(await logged(access, '"GET /chat" 101 ')).not.toContain('secret')
    expect(await logged(access, '"GET /refused" 401 ')).not.toContain('secret')
    expect(readFileSync(error, 'utf8')).not.toContain('secret')
  })

  test('contain no token of a cookie even if the worker is down, but do contain the query (N14)', async () => {
    const seen: unknown[] = []
    const { port } = await runningServer({
      authenticate: (request: IncomingMessage) => seen.push(cookieToken(request, 'session')),
    } as object)
    const up = await loggingNginx(port)
    const headers = { cookie: `session=${TOKEN}` }
    const client = await connect(`ws://${up.host}/up`, { headers })
    expect(seen).toEqual([TOKEN])
    client.terminate()
    expect(await logged(up.access, '"GET /up" 101 ')).not.toContain('secret')

    const down = await loggingNginx(await freePort())
    await expect(connect(`ws://${down.host}/down?page=5`, { headers })).rejects.toThrow('502')
    expect(await logged(down.access, '"GET /down" 502 ')).not.toContain('secret')
    const failures = await logged(down.error, '/down?page=5')
    expect(failures).not.toContain('secret')
  })
})
