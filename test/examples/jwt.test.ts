import { SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Example, type ExampleClient } from '../support/example.js'
import { refused } from '../support/refused.js'

const JWT_SECRET = 'a secret of thirty-two bytes or more'

let example: Example
beforeAll(async () => {
  example = await Example.start('jwt', { JWT_SECRET })
})
afterAll(() => example.program.stop())

interface Claims {
  sub?: string
  aud?: string
  /** Seconds from now. */
  life?: number | undefined
  secret?: string
}

const inSeconds = (life: number): number => Math.floor(Date.now() / 1000) + life

function sign({ sub = 'Ada', aud = 'echo', life, secret = JWT_SECRET }: Claims = {}): Promise<string> {
  const token = new SignJWT({ sub, aud }).setProtectedHeader({ alg: 'HS256' })
  if (life !== undefined) token.setExpirationTime(inSeconds(life))
  return token.sign(new TextEncoder().encode(secret))
}

const HOUR = 3600

/** The token with other claims under the same signature. */
async function altered(): Promise<string> {
  const [header, , signature] = (await sign({ life: HOUR })).split('.')
  const claims = JSON.stringify({ sub: 'Eve', aud: 'echo', exp: inSeconds(HOUR) })
  return [header, Buffer.from(claims).toString('base64url'), signature].join('.')
}

function unsigned(): string {
  return new UnsecuredJWT({ sub: 'Eve', aud: 'echo' }).setExpirationTime(inSeconds(HOUR)).encode()
}

const bad: [string, () => Promise<string | undefined>, string][] = [
  ['a missing token', async () => undefined, 'The token is missing'],
  ['an expired token', () => sign({ life: -1 }), 'The token has expired'],
  [
    'a token signed with another key',
    () => sign({ life: HOUR, secret: 'x'.repeat(32) }),
    'The token is not valid',
  ],
  ['an altered token', altered, 'The token is not valid'],
  ['an unsigned token', async () => unsigned(), 'The token is not valid'],
  ['a token for another audience', () => sign({ life: HOUR, aud: 'other' }), 'The token is not valid'],
  ['a token that does not expire', () => sign(), 'The token is not valid'],
  ['text that is not a token', async () => 'nonsense', 'The token is not valid'],
]

const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` })

/** Expects a greeting with the name, then an echo. */
async function expectEcho({ socket, received, closed }: ExampleClient, name = 'Ada'): Promise<void> {
  expect(await received.next()).toBe(`Hello ${name}`)
  socket.send('hello')
  expect(await received.next()).toBe('hello')
  socket.close(1000)
  expect((await closed).code).toBe(1000)
}

describe.each(['/ws/echo', '/ws/page/echo'])('%s accepts a valid token in', (path) => {
  test('the Authorization header', async () => {
    const token = await sign({ sub: 'Grace', life: HOUR })
    await expectEcho(await example.connect(path, { headers: bearer(token) }), 'Grace')
  })

  test('a cookie', async () => {
    const token = await sign({ life: HOUR })
    await expectEcho(await example.connect(path, { headers: { cookie: `a=b; jwt=${token}` } }))
  })

  test('the query', async () => {
    await expectEcho(await example.connect(`${path}?jwt=${await sign({ life: HOUR })}`))
  })

  test('a subprotocol, which is not sent back', async () => {
    const client = await example.connect(path, {}, [`jwt.${await sign({ life: HOUR })}`, 'echo'])
    expect(client.socket.protocol).toBe('echo')
    await expectEcho(client)
  })
})

describe.each(bad)('%s', (_what, token, problem) => {
  test('is answered with a 401 that names the problem', async () => {
    const value = await token()
    const fields = value === undefined ? {} : bearer(value)
    const answer = await refused(example.port, fields, 'GET /ws/echo HTTP/1.1')
    expect(answer).toMatchObject({ status: 401, body: `${problem}\n` })
    expect(answer.fields.get('www-authenticate')).toBe('Bearer')
  })

  test('is answered with a Close frame for a page', async () => {
    const value = await token()
    const client = await example.connect(
      '/ws/page/echo',
      {},
      value === undefined ? [] : [`jwt.${value}`, 'echo'],
    )
    expect(await client.closed).toMatchObject({ code: 4401, reason: problem, wasClean: true })
  })
})

describe('the expiry of a token', () => {
  test('closes its connection', async () => {
    // On a busy machine the token may expire before the connection is open. Then try a longer life.
    let client: ExampleClient | undefined
    for (let life = 1; client === undefined; life *= 2) {
      client = await example
        .connect('/ws/echo', { headers: bearer(await sign({ life })) })
        .catch(() => undefined)
    }
    expect(await client.received.next()).toBe('Hello Ada')
    expect(await client.closed).toMatchObject({ code: 4401, reason: 'The token has expired', wasClean: true })
  })

  test('may be later than the longest timer', async () => {
    const stopping = await Example.forTest('jwt', { JWT_SECRET })
    const token = await sign({ life: 100 * 365 * 24 * HOUR })
    await stopping.expectToStop(await stopping.connect('/ws/echo', { headers: bearer(token) }))
    expect(stopping.program.lines.filter((line) => line.includes('Warning'))).toEqual([])
  })

  test('does not keep the process running', async () => {
    const stopping = await Example.forTest('jwt', { JWT_SECRET })
    const token = await sign({ life: HOUR })
    await expectEcho(await stopping.connect('/ws/echo', { headers: bearer(token) }))
    const clients = ['/ws/echo', '/ws/page/echo'].map((path) =>
      stopping.connect(path, { headers: bearer(token) }),
    )
    await stopping.expectToStop(...(await Promise.all(clients)))
  })
})

test('answers plain requests and upgrades to other paths with 404', async () => {
  expect((await fetch(example.http('/'))).status).toBe(404)
  expect((await refused(example.port, {}, 'GET /ws HTTP/1.1')).status).toBe(404)
})

test('refuses to start with a key that is too short', async () => {
  await expect(Example.start('jwt', { JWT_SECRET: 'short' })).rejects.toThrow(
    'JWT_SECRET must have at least 32 bytes',
  )
})
