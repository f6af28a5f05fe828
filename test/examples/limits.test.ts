import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Example, type ExampleClient } from '../support/example.js'
import { openAsClient } from '../support/raw-handshake.js'
import { refused } from '../support/refused.js'

let example: Example
beforeAll(async () => {
  example = await Example.start('limits')
})
afterAll(() => example.program.stop())

/** The header that a proxy in front of the server would add. */
const proxied = (address: string): { 'X-Forwarded-For': string } => ({ 'X-Forwarded-For': address })

/** Connects a client, and waits for its first echo. */
async function client(headers: Record<string, string> = {}, of = example): Promise<ExampleClient> {
  const opened = await of.connect('/', { headers })
  opened.socket.send('hello')
  expect(await opened.received.next()).toBe('hello')
  return opened
}

async function close({ socket, closed }: ExampleClient): Promise<void> {
  socket.close(1000)
  expect(await closed).toMatchObject({ code: 1000, wasClean: true })
}

describe('an origin', () => {
  test.each(['https://app.example', 'https://new-2.app.example'])(
    'such as %s is accepted',
    async (origin) => {
      await close(await client({ origin }))
    },
  )

  test.each(['https://evil.example', 'http://app.example', 'https://app.example.evil.example', 'null'])(
    'such as %s is refused',
    async (Origin) => {
      const answer = await refused(example.port, { Origin })
      expect(answer.status).toBe(403)
      expect(answer.body).toContain('To allow it, the server needs the option origins: ')
    },
  )
})

describe('messages', () => {
  test('of 64 KiB are echoed, and longer ones close their connection', async () => {
    const { socket, received, closed } = await client()
    const longest = 'x'.repeat(64 * 1024)
    socket.send(longest)
    expect(await received.next()).toBe(longest)
    socket.send(`${longest}x`)
    expect((await closed).code).toBe(1009)
  })

  test('of a burst are echoed up to the rate limit', async () => {
    const { socket, closed } = await client(proxied('192.0.2.200'))
    let echoes = 0
    socket.on('message', () => {
      echoes++
    })
    for (let number = 0; number < 1000; number++) socket.send('again')
    expect((await closed).code).toBe(1008)
    // One of the burst of 100 was 'hello'; there are 10 more for each second that passes.
    expect(echoes).toBeGreaterThanOrEqual(99)
    expect(echoes).toBeLessThan(1000)
    await example.program.line(/192\.0\.2\.200 closed: 1006 The peer sends more often/)
  })
})

describe('connections', () => {
  const attempt = (of: Example, address: string): ReturnType<typeof refused> =>
    refused(of.port, proxied(address))

  test('are limited to 20 from one address and 50 in total', async () => {
    const full = await Example.forTest('limits')
    const open = async (count: number, address: string): Promise<ExampleClient[]> =>
      Promise.all(Array.from({ length: count }, () => client(proxied(address), full)))

    const [first] = await open(20, '192.0.2.1')
    const one = await attempt(full, '192.0.2.1')
    expect(one.status).toBe(429)
    expect(one.fields.get('retry-after')).toMatch(/^\d+$/)

    await open(20, '192.0.2.2')
    await open(10, '192.0.2.3')
    const more = await attempt(full, '192.0.2.4')
    expect(more.status).toBe(503)
    expect(more.fields.get('retry-after')).toMatch(/^\d+$/)

    await close(first!)
    await full.program.line(/192\.0\.2\.1 closed: 1000/)
    await client(proxied('192.0.2.4'), full)
    expect((await attempt(full, '192.0.2.4')).status).toBe(503)
  })

  test('are counted by the address that the proxy saw, not by one that the client claims', async () => {
    const full = await Example.forTest('limits')
    const made = Array.from({ length: 20 }, (_, number) =>
      client(proxied(`10.0.0.${number}, 192.0.2.1`), full),
    )
    await Promise.all(made)
    expect((await attempt(full, '10.1.0.1, 192.0.2.1')).status).toBe(429)
  })
})

test('terminates a peer that does not answer a Ping', async () => {
  const short = await Example.forTest('limits', { HEARTBEAT: '100', PATIENCE: '100' })
  const { peer } = await openAsClient(short.port, proxied('192.0.2.99'))
  expect(await peer.next()).toMatchObject({ opcode: 0x9 })
  expect(await peer.next()).toBeUndefined()
  await short.program.line(/192\.0\.2\.99 closed: 1006 The peer is gone/)
})

test('closes its clients one after the other on SIGTERM and exits', async () => {
  const stopping = await Example.forTest('limits')
  await stopping.expectToStop(
    await client({}, stopping),
    await client({}, stopping),
    await client({}, stopping),
  )
  await stopping.program.line(/^3 closed cleanly, 0 did not answer in time$/)
})
