import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SignJWT } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { Example } from '../support/example.js'
import { Program } from '../support/program.js'
import { RedisServer } from '../support/redis-server.js'
import { programPath, requires } from '../support/requirements.js'
import { type Chat, converse, differ, type Seen } from './chat-conversation.js'

const JWT_SECRET = 'a secret of thirty-two bytes or more'

const site = new URL('channels/', import.meta.url)
const example = new URL('../../examples/channels/', import.meta.url)

/** A chat of two processes has what they share: a Redis of its own, and the key of the tokens. */
async function environment(): Promise<Record<string, string>> {
  const { path } = await RedisServer.start()
  return { REDIS_URL: `unix://${path}`, JWT_SECRET, PYTHONPATH: fileURLToPath(site) }
}

function run(program: string, args: readonly string[], settings: Record<string, string>): Program {
  const running = new Program(program, args, settings)
  onTestFinished(async () => {
    await running.stop('SIGKILL')
  })
  return running
}

/** Waits until a command has done what it does. */
async function done({ exit, lines }: Program): Promise<void> {
  expect({ ...(await exit), lines }).toEqual({ code: 0, signal: null, lines: [] })
}

/** The original: a site in Django Channels, served by Daphne. */
async function startOriginal(): Promise<Chat> {
  const settings = await environment()
  const python = (...args: string[]): Program => run(programPath('daphne'), ['-B', ...args], settings)
  const serve = async (): Promise<number> => {
    const daphne = python('-m', 'daphne', '-b', '127.0.0.1', '-p', '0', 'asgi:application')
    const [port] = await daphne.line(/(?<=Listening on TCP address 127\.0\.0\.1:)\d+/)
    return Number(port)
  }
  return {
    ports: await Promise.all([serve(), serve()]),
    announce: (room, text) => done(python(fileURLToPath(new URL('manage.py', site)), 'announce', room, text)),
  }
}

/** Ours: examples/channels. */
async function startExample(): Promise<Chat> {
  const settings = await environment()
  const serve = async (): Promise<number> => (await Example.forTest('channels', settings)).port
  const command = fileURLToPath(new URL('announce.js', example))
  return {
    ports: await Promise.all([serve(), serve()]),
    announce: (room, text) => done(run(process.execPath, [command, room, text], settings)),
  }
}

/** Tokens of three users, and two that are none. */
async function tokens() {
  const sign = (name: string, life: string, secret = JWT_SECRET): Promise<string> =>
    new SignJWT({ sub: name })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(life)
      .sign(new TextEncoder().encode(secret))
  return {
    ada: await sign('Ada', '1h'),
    bob: await sign('Bob', '1h'),
    carol: await sign('Carol', '1h'),
    expired: await sign('Ada', '-1h'),
    forged: await sign('Ada', '1h', 'x'.repeat(32)),
  }
}

const joined = (name: string) => ({ type: 'joined', name })
const said = (name: string, text: string) => ({ type: 'message', name, text })
const announced = (text: string) => ({ type: 'announcement', text })

/** What the clients of either chat are to see. */
const expected: Seen = {
  refused: [403, 403, 403, 403],
  ada: [
    'open',
    joined('Ada'),
    joined('Bob'),
    said('Ada', 'hello, wörld'),
    said('Bob', 'hello, ada'),
    announced('tea is served'),
    { type: 'left', name: 'Bob' },
    said('Ada', 'still here'),
    'close 1000',
  ],
  bob: [
    'open',
    joined('Bob'),
    said('Ada', 'hello, wörld'),
    said('Bob', 'hello, ada'),
    { type: 'pong' },
    announced('tea is served'),
    'close 1000',
  ],
  carol: [
    'open',
    joined('Carol'),
    said('Carol', 'is anybody here?'),
    'pong still there?',
    announced('and cake'),
    'close 1011',
  ],
}

const python = ['python3-django-channels', 'python3-channels-redis', 'daphne', 'python3-jwt'] as const

test(
  'sends the clients of examples/channels the same as the same chat in Django Channels',
  { timeout: 120_000, ...requires('redis-server', ...python) },
  async () => {
    const users = await tokens()
    const chats = await Promise.all([startOriginal(), startExample()])
    const [original, ours] = await Promise.all(chats.map((chat) => converse(chat, users)))
    expect(ours).toEqual(original)
    expect(ours).toEqual(expected)
    expect(await Promise.all(chats.map((chat) => differ(chat, users.ada)))).toEqual([
      {
        'the answer to Close 4000': 'close 1000',
        'a path that nobody serves': 500,
        'a room with a space': 500,
        'a client without Origin': 403,
      },
      {
        'the answer to Close 4000': 'close 4000',
        'a path that nobody serves': 404,
        'a room with a space': 'open',
        'a client without Origin': 'open',
      },
    ])
  },
)

test('closes the clients of examples/channels with 1001 on SIGTERM', requires('redis-server'), async () => {
  const server = await Example.forTest('channels', await environment())
  const { ada } = await tokens()
  const client = await server.connect(`/ws/chat/lobby/?token=${ada}`)
  expect(await client.received.next()).toBe(JSON.stringify(joined('Ada')))
  await server.expectToStop(client)
})

test('refuses to start with a key that is too short', async () => {
  await expect(Example.start('channels', { JWT_SECRET: 'short' })).rejects.toThrow(
    'JWT_SECRET must have at least 32 bytes',
  )
})

/** The text of all files below a folder with one of these endings. */
function sourcesIn(folder: URL, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .map((path) => readFileSync(new URL(path, folder), 'utf8'))
}

test.each([
  ['js', sourcesIn(example, '.js')],
  ['python', sourcesIn(site, '.py')],
])('quotes the %s blocks of docs/from-django-channels.md exactly from the programs', (language, sources) => {
  const document = readFileSync(new URL('../../docs/from-django-channels.md', import.meta.url), 'utf8')
  const blocks = Array.from(
    document.matchAll(/^```(\w+)\n(.*?)^```$/gms),
    ([, name, text]) => [name, text!] as const,
  )
  const quoted = blocks.filter(([name]) => name === language).map(([, text]) => text)
  expect(quoted.length).toBeGreaterThan(4)
  expect(quoted.filter((text) => !sources.some((source) => source.includes(text)))).toEqual([])
})
