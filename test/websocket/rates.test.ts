import { ProtocolError, connect, type WebSocketServerOptions } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox, take } from '../support/inbox.js'
import { openPair } from '../support/open-pair.js'
import { opcode } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'

/** A rate so low that no token is added during a test. */
const threeOnly = { perSecond: 1e-6, burst: 3 }

interface Seen {
  readonly heard: string[]
  readonly close: { code: number; reason: string; cause: Error | undefined; dropped: number }
  /** What the peer received. */
  readonly frames: { opcode: number; payload: Buffer }[]
}

/** Writes these frames at once as a peer, and returns what happens. */
async function afterWriting(
  options: WebSocketServerOptions,
  frames: { opcode: number; payload?: string; fin?: boolean }[],
): Promise<Seen> {
  const { port, next } = await runningServer(options)
  const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
  const heard: string[] = []
  socket.on('message', (data) => heard.push(data as string))
  socket.on('ping', (payload) => heard.push(`ping ${payload.toString()}`))
  socket.on('pong', (payload) => heard.push(`pong ${payload.toString()}`))
  const close = closeOf(socket)
  peer.write(
    Buffer.concat(
      frames.map(({ payload = '', fin = true, ...frame }) =>
        peer.encode({ ...frame, fin, rsv: 0, payload: Buffer.from(payload) }),
      ),
    ),
  )
  const received = []
  for (let frame = await peer.next(); frame !== undefined; frame = await peer.next()) received.push(frame)
  return { heard, close: await close, frames: received }
}

const texts = ['a', 'b', 'c', 'd', 'e'].map((payload) => ({ opcode: opcode.text, payload }))

describe('messageRate', () => {
  test('is off by default', async () => {
    const { client, socket } = await openPair()
    const received = inbox(socket)
    for (let index = 0; index < 20_000; index++) client.send(String(index))
    expect((await take(received, 20_000)).at(-1)).toBe('19999')
  })

  test('closes with 1008 and a reason when the peer exceeds it, and delivers no more', async () => {
    const { heard, close, frames } = await afterWriting({ messageRate: threeOnly }, texts)
    expect(heard).toEqual(['a', 'b', 'c'])
    expect(close).toMatchObject({ code: 1006, wasClean: false, initiator: 'local', dropped: 2 })
    expect(close.cause).toBeInstanceOf(ProtocolError)
    expect(close.cause).toMatchObject({ code: 'WS_ERR_TOO_MANY_MESSAGES', closeCode: 1008 })
    expect(frames.map((frame) => frame.opcode)).toEqual([opcode.close])
    expect(frames[0]!.payload.readUInt16BE()).toBe(1008)
    expect(frames[0]!.payload.subarray(2).toString()).toBe(
      'The peer sends more often than messageRate allows',
    )
  })

  test('counts messages, not their fragments or the control frames between them', async () => {
    const parts = [
      { opcode: opcode.text, payload: 'a', fin: false },
      { opcode: opcode.ping, payload: '1' },
      { opcode: opcode.continuation, payload: 'b', fin: false },
      { opcode: opcode.continuation, payload: 'c' },
    ]
    const { heard } = await afterWriting({ messageRate: threeOnly }, [...parts, ...parts, ...parts, ...parts])
    expect(heard).toEqual(['ping 1', 'abc', 'ping 1', 'abc', 'ping 1', 'abc', 'ping 1'])
  })

  test('applies to each connection separately', async () => {
    const { url, next } = await runningServer({ messageRate: threeOnly })
    const pairs = await Promise.all(
      [1, 2].map(async () => {
        const client = await connect(url)
        return { client, received: inbox((await next()).socket) }
      }),
    )
    for (const { client } of pairs) for (const text of ['a', 'b', 'c']) client.send(text)
    for (const { received } of pairs) expect(await take(received, 3)).toEqual(['a', 'b', 'c'])
  })

  test('applies to the server of a client', async () => {
    const { client, socket } = await openPair({ client: { messageRate: threeOnly } })
    const received = inbox(client)
    const close = closeOf(socket)
    for (const text of ['a', 'b', 'c', 'd']) socket.send(text)
    expect(await take(received, 3)).toEqual(['a', 'b', 'c'])
    expect(await close).toMatchObject({ code: 1008, initiator: 'remote' })
  })
})

describe('controlFrameRate', () => {
  const pings = (count: number): { opcode: number; payload: string }[] =>
    Array.from({ length: count }, (_, index) => ({ opcode: opcode.ping, payload: String(index) }))

  test('is on by default, and closes with 1008 for a flood of Pings', async () => {
    const { heard, close, frames } = await afterWriting({}, pings(10_000))
    // A few tokens are added while the Pings are read.
    expect(heard.length).toBeGreaterThanOrEqual(1000)
    expect(heard.length).toBeLessThan(5000)
    expect(close.cause).toMatchObject({ code: 'WS_ERR_TOO_MANY_MESSAGES' })
    expect(frames.at(-1)!.payload.subarray(2).toString()).toBe(
      'The peer sends more often than controlFrameRate allows',
    )
  })

  test('counts Pings and Pongs together, but not messages', async () => {
    const sent = [
      ...texts,
      ...pings(2),
      { opcode: opcode.pong, payload: 'p' },
      ...texts,
      ...pings(1),
      ...texts,
    ]
    const { heard } = await afterWriting({ controlFrameRate: threeOnly }, sent)
    const letters = ['a', 'b', 'c', 'd', 'e']
    expect(heard).toEqual([...letters, 'ping 0', 'ping 1', 'pong p', ...letters])
  })

  test('does not count a Close frame', async () => {
    const { close } = await afterWriting({ controlFrameRate: threeOnly }, [
      ...pings(3),
      { opcode: opcode.close },
    ])
    expect(close).toMatchObject({ code: 1005, wasClean: true })
  })

  test('can be disabled', async () => {
    const sent = [...pings(3000), { opcode: opcode.close }]
    const { heard, close } = await afterWriting({ controlFrameRate: false }, sent)
    expect(heard).toHaveLength(3000)
    expect(close).toMatchObject({ code: 1005 })
  })
})
