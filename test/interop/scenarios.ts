import {
  fragments,
  splitFragments,
  type Ability,
  type Close,
  type PeerClient,
  type PeerConnection,
} from './peer.js'

/** One behaviour on which two libraries must agree. */
export interface Scenario {
  /** The name, also for scripts in other languages. */
  readonly id: string
  readonly title: string
  readonly path: string
  readonly protocols?: readonly string[]
  readonly client?: readonly Ability[]
  readonly server?: readonly Ability[]
  /** What the client observes, as JSON can carry it. */
  observe(connection: PeerConnection): Promise<unknown>
  expected(agreed: Agreement): unknown
  /** How the server sees the close, if the scenario checks it. */
  readonly serverSees?: (client: Pick<PeerClient, 'closeAnswer'>) => Partial<Close>
}

/** Whether each direction is compressed. */
export interface Agreement {
  readonly extension: boolean
  readonly toServer: boolean
  readonly toClient: boolean
}

/** Payload lengths on both sides of each change of the frame header (RFC 6455 section 5.2). */
const lengths = [0, 1, 125, 126, 65535, 65536]
const texts = ['', 'Grüße, мир, 世界 👋', ...lengths.slice(1).map((length) => 'x'.repeat(length))]
const largeLength = 3 * 1024 * 1024
const pipelined = 1000

export const bytes = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, at) => (at * 31) & 0xff))

/** Sends a message, and returns the kind and size of the echo, and whether it is the same. */
async function roundTrip(connection: PeerConnection, message: string | Buffer): Promise<unknown> {
  connection.send(message)
  return describeEcho(message, await connection.nextMessage())
}

function describeEcho(message: string | Buffer, echo: string | Buffer): unknown {
  const same = Buffer.from(message as string).equals(Buffer.from(echo as string))
  return [typeof echo === 'string' ? 'text' : 'binary', Buffer.byteLength(echo), same]
}

async function roundTrips(connection: PeerConnection, messages: (string | Buffer)[]): Promise<unknown[]> {
  const observed = []
  for (const message of messages) observed.push(await roundTrip(connection, message))
  return observed
}

async function codeAfter(connection: PeerConnection, act: () => void): Promise<number> {
  act()
  return (await connection.closed).code
}

export const scenarios: readonly Scenario[] = [
  {
    id: 'text',
    title: 'echoes text of every length class',
    path: '/echo',
    observe: (connection) => roundTrips(connection, texts),
    expected: () => texts.map((text) => ['text', Buffer.byteLength(text), true]),
  },
  {
    id: 'binary',
    title: 'echoes binary messages of every length class',
    path: '/echo',
    observe: (connection) => roundTrips(connection, lengths.map(bytes)),
    expected: () => lengths.map((length) => ['binary', length, true]),
  },
  {
    id: 'large',
    title: 'echoes a message of 3 MiB',
    path: '/echo',
    observe: (connection) => roundTrips(connection, ['x'.repeat(largeLength), bytes(largeLength)]),
    expected: () => [
      ['text', largeLength, true],
      ['binary', largeLength, true],
    ],
  },
  {
    id: 'pipelined',
    title: 'echoes a thousand messages at once in order',
    path: '/echo',
    async observe(connection) {
      for (let number = 0; number < pipelined; number++) connection.send(String(number))
      const echoes = []
      while (echoes.length < pipelined) echoes.push(await connection.nextMessage())
      return echoes
    },
    expected: () => Array.from({ length: pipelined }, (_, number) => String(number)),
  },
  {
    id: 'fragments-to-server',
    title: 'joins the fragments of the client',
    path: '/echo',
    client: ['fragments'],
    observe(connection) {
      connection.sendFragments(splitFragments)
      return connection.nextMessage()
    },
    expected: () => Buffer.concat(fragments).toString(),
  },
  {
    id: 'fragments-to-client',
    title: 'joins the fragments of the server',
    path: '/fragments',
    observe(connection) {
      connection.send('please')
      return connection.nextMessage()
    },
    expected: () => Buffer.concat(fragments).toString(),
  },
  {
    id: 'ping-to-server',
    title: 'answers a Ping of the client',
    path: '/echo',
    client: ['ping'],
    observe: (connection) => connection.ping('are you there?'),
    expected: () => 'are you there?',
  },
  {
    id: 'ping-to-client',
    title: 'answers a Ping of the server',
    path: '/ping',
    observe: (connection) => connection.nextMessage(),
    expected: () => 'pong: are you there?',
  },
  {
    id: 'close-by-client',
    title: 'closes at the client with a code and a reason',
    path: '/echo',
    observe: (connection) => codeAfter(connection, () => connection.close(4001, 'Grüße')),
    expected: () => 4001,
    serverSees: () => ({ code: 4001, reason: 'Grüße' }),
  },
  {
    id: 'bare-close-by-client',
    title: 'closes at the client without a status',
    path: '/echo',
    client: ['bare close', '1005'],
    observe: (connection) => codeAfter(connection, () => connection.close()),
    expected: () => 1005,
    serverSees: () => ({ code: 1005, reason: '' }),
  },
  {
    id: 'close-by-server',
    title: 'closes at the server with a code and a reason',
    path: `/close?code=4002&reason=${encodeURIComponent('Grüße')}`,
    observe: (connection) => connection.closed,
    expected: () => ({ code: 4002, reason: 'Grüße' }),
    serverSees: (client) => ({ code: client.closeAnswer ?? 4002 }),
  },
  {
    id: 'bare-close-by-server',
    title: 'closes at the server without a status',
    path: '/close',
    client: ['1005'],
    server: ['bare close'],
    observe: (connection) => connection.closed,
    expected: () => ({ code: 1005, reason: '' }),
    serverSees: (client) => ({ code: client.closeAnswer ?? 1005 }),
  },
  {
    id: 'subprotocol',
    title: 'negotiates a subprotocol',
    path: '/echo',
    protocols: ['unknown', 'superchat'],
    observe: (connection) => Promise.resolve(connection.protocol),
    expected: () => 'superchat',
  },
  {
    id: 'extension',
    title: 'negotiates permessage-deflate if both ends support and enable it',
    path: '/echo',
    observe: (connection) => Promise.resolve(connection.extensions.includes('permessage-deflate')),
    expected: (agreed) => agreed.extension,
  },
  {
    id: 'bytes',
    title: 'compresses in the negotiated directions only',
    path: '/bytes',
    server: ['bytes'],
    async observe(connection) {
      const message = 'x'.repeat(1024 * 1024)
      connection.send(message)
      const echo = await connection.nextMessage()
      const bytes = JSON.parse(String(await connection.nextMessage())) as { received: number; sent: number }
      return [echo === message, bytes.received < message.length / 10, bytes.sent < message.length / 10]
    },
    expected: (agreed) => [true, agreed.toServer, agreed.toClient],
  },
]
