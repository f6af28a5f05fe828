import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { freePort } from '../support/free-port.js'
import { exchange } from '../support/http-exchange.js'
import { inbox } from '../support/inbox.js'
import { Program } from '../support/program.js'
import { programPath, requires } from '../support/requirements.js'
import { runningServer } from '../support/running-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { exampleFile } from './example-file.js'
import { expectCut, expectKept, HEARTBEAT, PROXY_TIMEOUT } from './silence.js'
import { answers, startWorker, visit } from './worker.js'
import { passesBothWays } from './passes-both-ways.js'

/** Starts haproxy with the configuration of examples/haproxy, until the test ends. Returns its port. */
async function haproxy(upstream: number, instead: Readonly<Record<string, string>> = {}): Promise<number> {
  const file = join(temporaryFolder(), 'haproxy.cfg')
  const port = await freePort()
  const places = {
    'bind 127.0.0.1:8080': `bind 127.0.0.1:${port}`,
    'server worker 127.0.0.1:8000 check': `server worker 127.0.0.1:${upstream} check`,
  }
  writeFileSync(file, exampleFile('haproxy/haproxy.cfg', { ...places, ...instead }))
  // With -W, haproxy prints when it is ready.
  const program = new Program(programPath('haproxy'), ['-W', '-db', '-f', file])
  onTestFinished(async () => {
    await program.stop()
  })
  await program.line(/Loading success/)
  return port
}

describe('haproxy', requires('haproxy'), () => {
  test('forwards messages and close codes, both ways', async () => {
    const running = await runningServer()
    const port = await haproxy(running.port)
    await passesBothWays(`ws://127.0.0.1:${port}/path`, running)
  })

  test('forwards the negotiation of compression and a subprotocol', async () => {
    const running = await runningServer({ perMessageDeflate: true })
    const port = await haproxy(running.port)
    const [client, { socket }] = await Promise.all([
      connect(`ws://127.0.0.1:${port}`, ['chat.v2'], { perMessageDeflate: true }),
      running.next(),
    ])
    expect([client.protocol, socket.protocol]).toEqual(['chat.v2', 'chat.v2'])
    expect(client.extensions).toContain('permessage-deflate')
    const received = inbox(client)
    const text = 'Grüße '.repeat(10_000)
    socket.send(text)
    expect(await received.next()).toBe(text)
    client.terminate()
  })

  test("forwards the client's address and host, whatever headers the client sends", async () => {
    const { server, port: upstream } = await runningServer({ trustProxy: 1 })
    server.on('connection', (socket) => socket.send(JSON.stringify({ address: socket.remoteAddress })))
    const port = await haproxy(upstream)
    const spoofed = {
      'X-Forwarded-For': '203.0.113.7',
      'X-Forwarded-Host': 'evil.example',
      'X-Forwarded-Proto': 'https',
    }
    for (const headers of [{}, spoofed]) {
      const options = { headers, localAddress: '127.0.0.2', origin: `http://127.0.0.1:${port}` }
      expect((await visit(`ws://127.0.0.1:${port}`, options)).address).toBe('127.0.0.2')
      const attempt = connect(`ws://127.0.0.1:${port}`, { headers, origin: 'https://evil.example' })
      await expect(attempt).rejects.toThrow('403')
    }
  })

  test('sets X-Forwarded-Proto itself', async () => {
    const seen: boolean[] = []
    const { port: upstream } = await runningServer({
      trustProxy: 1,
      verifyClient: ({ secure }) => seen.push(secure) > 0,
    })
    const port = await haproxy(upstream)
    const client = await connect(`ws://127.0.0.1:${port}`, { headers: { 'X-Forwarded-Proto': 'https' } })
    client.terminate()
    expect(seen).toEqual([false])
  })

  test('forwards a plain request and its response', async () => {
    const { port: upstream } = await runningServer()
    const port = await haproxy(upstream)
    const answer = await exchange(port, 'GET / HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n')
    expect(answer.status).toBe(426)
  })

  test('forwards the Close frame 1001 of a stopping worker', async () => {
    const upstream = await freePort()
    const worker = await startWorker(String(upstream))
    const visitor = await visit(`ws://127.0.0.1:${await haproxy(upstream)}`)
    expect(visitor).toMatchObject({ worker: String(upstream), address: '127.0.0.1' })
    expect(await answers(visitor)).toBe(true)
    const closed = closeOf(visitor.socket)
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    expect(await closed).toMatchObject({ code: 1001, reason: 'The worker stops', wasClean: true })
  })

  describe('a connection that is silent for longer than `timeout tunnel`', () => {
    const shortened = { 'timeout tunnel 60s': `timeout tunnel ${PROXY_TIMEOUT}` }

    test('stays open with the heartbeat', async () => {
      const running = await runningServer({ heartbeat: HEARTBEAT })
      const port = await haproxy(running.port, shortened)
      const [client, { socket }] = await Promise.all([connect(`ws://127.0.0.1:${port}`), running.next()])
      await expectKept(client, socket)
    })

    test('is closed without the heartbeat', async () => {
      const running = await runningServer({ heartbeat: false })
      const port = await haproxy(running.port, shortened)
      const [client, { socket }] = await Promise.all([connect(`ws://127.0.0.1:${port}`), running.next()])
      await expectCut(client, socket)
    })
  })
})
