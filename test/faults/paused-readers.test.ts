import { connect as connectSocket, type Socket } from 'node:net'
import { connect, type WebSocket } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { settled, until } from '../support/event-loop.js'
import { runningServer } from '../support/running-server.js'
import { noise } from '../support/sample-messages.js'

const KIBI = 1024
const MESSAGE = 64 * KIBI

/**
 * What may be read from a paused connection: the mark at which Node's streams stop (64 KiB in the latest version, 16 KiB
 * before), and the reads that were under way.
 */
const BOUND = 256 * KIBI

const content = noise(MESSAGE)

/** A message whose first bytes are its number, and which does not compress. */
function numbered(index: number): Buffer {
  const bytes = Buffer.from(content)
  bytes.writeUInt32BE(index, 0)
  return bytes
}

/** Counts the messages that arrive, and those that are out of order or incomplete. */
class Receipts {
  count = 0
  wrong = 0

  constructor(socket: Pick<WebSocket, 'on'>) {
    socket.on('message', (data) => {
      if (!numbered(this.count++).equals(data as Buffer)) this.wrong++
    })
  }
}

interface Ends {
  readonly sender: Pick<WebSocket, 'send' | 'terminate'>
  readonly reader: Pick<WebSocket, 'on' | 'once' | 'pause' | 'resume' | 'isPaused' | 'readyState'>
  /** The stream that the sender writes to. */
  readonly from: Socket
  /** The stream that the reader reads from. */
  readonly to: Socket
}

/** Waits until the system's buffers are full, and nothing more is read. */
async function standstill({ from, to }: Ends): Promise<void> {
  let before = -1
  for (let still = 0; still < 20;) {
    await settled()
    still = to.bytesRead === before && from.writableLength > 0 ? still + 1 : 0
    before = to.bytesRead
  }
}

/** Opens a connection on which one end may send without limits. */
async function open(readerIs: 'server' | 'client', perMessageDeflate: boolean): Promise<Ends> {
  const options = { maxBufferedAmount: Infinity, perMessageDeflate }
  const running = await runningServer(options)
  const clientEnd = connectSocket(running.port, '127.0.0.1')
  const [client, { socket, request }] = await Promise.all([
    connect(running.url, { ...options, createConnection: () => clientEnd }),
    running.next(),
  ])
  return readerIs === 'server'
    ? { sender: client, reader: socket, from: clientEnd, to: request.socket }
    : { sender: socket, reader: client, from: request.socket, to: clientEnd }
}

describe.each<['server' | 'client', string, number, boolean]>([
  ['server', 'that sends 64 MiB', 1024, false],
  ['server', 'that sends 16 MiB, compressed', 256, true],
  ['client', 'that sends 64 MiB', 1024, false],
])('a paused %s, with a peer %s', (role, _name, count, isCompressed) => {
  test('reads a bounded amount, delivers none of it until it resumes, and then all of it in order', async () => {
    const ends = await open(role, isCompressed)
    const { sender, reader, to } = ends
    reader.pause()
    const receipts = new Receipts(reader)
    const before = to.bytesRead
    for (let index = 0; index < count; index++) sender.send(numbered(index))
    await standstill(ends)
    expect(to.bytesRead - before).toBeLessThan(BOUND)
    expect(to.readableLength).toBeLessThan(BOUND)
    expect(receipts.count).toBe(0)
    reader.resume()
    await until(() => receipts.count === count)
    expect(receipts.wrong).toBe(0)
    expect(reader.readyState).toBe(1)
  })

  test('does so each time that it is paused during the delivery', async () => {
    const ends = await open(role, isCompressed)
    const { sender, reader, to } = ends
    const receipts = new Receipts(reader)
    let pauses = 0
    reader.on('message', () => {
      if (receipts.count !== 50 && receipts.count !== 60 && receipts.count !== 130) return
      reader.pause()
      pauses++
    })
    for (let index = 0; index < count; index++) sender.send(numbered(index))
    for (const delivered of [50, 60, 130]) {
      await until(() => reader.isPaused)
      const before = to.bytesRead
      await standstill(ends)
      expect(to.bytesRead - before).toBeLessThan(BOUND)
      expect(receipts.count).toBe(delivered)
      reader.resume()
      await until(() => !reader.isPaused)
    }
    await until(() => receipts.count === count)
    expect([receipts.wrong, pauses]).toEqual([0, 3])
  })
})

test('delivers a bounded number of whole messages before the close if the peer sends 64 MiB and leaves', async () => {
  const ends = await open('server', false)
  const { sender, reader, to } = ends
  reader.pause()
  const receipts = new Receipts(reader)
  const before = to.bytesRead
  for (let index = 0; index < 1024; index++) sender.send(numbered(index))
  await standstill(ends)
  const closed = closeOf(reader)
  sender.terminate()
  await settled()
  expect(to.bytesRead - before).toBeLessThan(BOUND)
  expect(receipts.count).toBe(0)
  reader.resume()
  expect(await closed).toMatchObject({ code: 1006, wasClean: false })
  expect(receipts.wrong).toBe(0)
  expect(receipts.count).toBeLessThan(1024)
})
