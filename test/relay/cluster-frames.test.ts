import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { Hub } from 'hubwire'
import { clusterRelay } from 'hubwire/cluster'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encodeChannelFrame, encodeSync, FrameKind, FrameReader } from '#src/relay/cluster/frames.js'
import { WorkerRelay } from '#src/relay/cluster/worker-relay.js'
import { until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { runs } from '../support/runs.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** A worker's connection to the router of this process. */
async function connectAsWorker(): Promise<Socket> {
  clusterRelay()
  const socket = connect(process.env.HUBWIRE_CLUSTER!)
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  return socket
}

interface Read {
  readonly channels: [kind: number, channel: string, payload: string][]
  readonly syncs: number[]
  readonly reader: FrameReader
}

function reading(): Read {
  const channels: Read['channels'] = []
  const syncs: number[] = []
  const reader = new FrameReader({
    onChannel: (kind, channel, payload) => channels.push([kind, channel, payload.toString('latin1')]),
    onSync: (id) => syncs.push(id),
  })
  return { channels, syncs, reader }
}

describe('the frames between workers and their primary', () => {
  test('are read as they were written, for any division into chunks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...Object.values(FrameKind)), fc.string(), fc.uint8Array())),
        fc.integer({ min: 1, max: 40 }),
        (frames, size) => {
          const bytes = Buffer.concat(
            frames.map(([kind, channel, payload], id) =>
              kind === FrameKind.sync
                ? encodeSync(id)
                : encodeChannelFrame(kind, channel, Buffer.from(payload)),
            ),
          )
          const { channels, syncs, reader } = reading()
          for (let start = 0; start < bytes.length; start += size) {
            reader.push(bytes.subarray(start, start + size))
          }
          expect(channels).toEqual(
            frames
              .filter(([kind]) => kind !== FrameKind.sync)
              .map(([kind, channel, payload]) => [kind, channel, Buffer.from(payload).toString('latin1')]),
          )
          expect(syncs).toEqual(frames.flatMap(([kind], id) => (kind === FrameKind.sync ? [id] : [])))
        },
      ),
      { numRuns: runs(200) },
    )
  })

  test.each([
    ['an unknown kind', Buffer.from([0, 0, 0, 0, 9])],
    ['a frame that is too long', Buffer.from([0xff, 0, 0, 0, FrameKind.message])],
    ['a sync without its number', Buffer.from([0, 0, 0, 1, FrameKind.sync, 0])],
    ['a channel without its length', Buffer.from([0, 0, 0, 1, FrameKind.subscribe, 0])],
  ])('with %s end only their own connection', async (_, bytes) => {
    const hub = new Hub({ relay: clusterRelay() })
    onTestFinished(() => hub.close())
    const member = new FakeMember()
    hub.group('news').add(member)
    await hub.group('news').ready
    const socket = await connectAsWorker()
    socket.write(bytes)
    await once(socket.resume(), 'close')
    await hub.publish('news', 'still here')
    expect(member.delivered).toEqual(['still here'])
  })
})

test('drops messages for a worker that does not read when more than 16 MiB are queued for it', async () => {
  const socket = await connectAsWorker()
  const { channels, syncs, reader } = reading()
  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk)
  })
  socket.write(Buffer.concat([encodeChannelFrame(FrameKind.subscribe, 'channel'), encodeSync(1)]))
  await until(() => syncs.length === 1)
  socket.pause()
  const relay = clusterRelay()
  relay.open({ connection() {}, message() {}, misconfigured() {} })
  const count = 100
  for (let sent = 0; sent < count; sent++) await relay.publish('channel', Buffer.alloc(1024 * 1024))
  socket.resume()
  socket.write(encodeSync(2))
  await until(() => syncs.length === 2)
  // What waited in this process, the message that went past it, and what the operating system had taken.
  expect(channels.length).toBeGreaterThanOrEqual(16)
  expect(channels.length).toBeLessThan(count / 2)
  await relay.close()
})

test('closes only the connection to the primary when it sends an invalid frame', async () => {
  const path = join(temporaryFolder(), 'primary.sock')
  const primary = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(Buffer.from([0, 0, 0, 0, 9]))
  }).listen(path)
  onTestFinished(() => {
    primary.close()
  })
  await once(primary, 'listening')
  const states: boolean[] = []
  const relay = new WorkerRelay(path, null)
  onTestFinished(() => relay.close())
  relay.open({ connection: ({ canPublish }) => states.push(canPublish), message() {}, misconfigured() {} })
  await until(() => states.length >= 2)
  expect(states.slice(0, 2)).toEqual([true, false])
})
