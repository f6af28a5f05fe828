import { once } from 'node:events'
import * as ws from 'hubwire/ws'
import { describe, expect, test, vi } from 'vitest'
import { open } from './open.js'

interface FrameOptions {
  fin?: boolean
  rsv1?: boolean
  opcode: number
  mask?: boolean
  readOnly?: boolean
  maskBuffer?: Buffer
  generateMask?: (mask: Buffer) => void
}

const { Sender } = ws as unknown as {
  Sender: { frame(data: Buffer | string, options: FrameOptions): Buffer[] }
}

interface Sending {
  readonly _sender: { sendFrame(list: Buffer[], callback?: (error?: Error) => void): void }
}

const senderOf = (socket: object): Sending['_sender'] => (socket as Sending)._sender

describe('Sender.frame', () => {
  test.each([
    [2, [0x82, 2]],
    [200, [0x82, 126, 0, 200]],
    [70_000, [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]],
  ])('has a header for %i bytes, and the bytes themselves', (length, header) => {
    const data = Buffer.alloc(length, 1)
    const [first, second, ...rest] = Sender.frame(data, { fin: true, opcode: 2 })
    expect([...first!]).toEqual(header)
    expect(second).toBe(data)
    expect(rest).toEqual([])
  })

  test('sets RSV1, omits FIN, and accepts text', () => {
    expect(Buffer.concat(Sender.frame('é', { rsv1: true, opcode: 1 }))).toEqual(
      Buffer.from([0x41, 2, 0xc3, 0xa9]),
    )
  })

  test('masks in place, or in a copy of a read-only payload', () => {
    const generateMask = (mask: Buffer): void => {
      mask.set([1, 2, 3, 4])
    }
    const options = { fin: true, opcode: 2, mask: true, generateMask }
    const masked = Buffer.from([0x82, 0x82, 1, 2, 3, 4, 9 ^ 1, 9 ^ 2])
    const data = Buffer.from([9, 9])
    expect(Buffer.concat(Sender.frame(data, { ...options, readOnly: true }))).toEqual(masked)
    expect(data).toEqual(Buffer.from([9, 9]))
    const maskBuffer = Buffer.alloc(4)
    expect(Buffer.concat(Sender.frame(data, { ...options, maskBuffer }))).toEqual(masked)
    expect([data, maskBuffer]).toEqual([Buffer.from([9 ^ 1, 9 ^ 2]), Buffer.from([1, 2, 3, 4])])
  })

  test('masks with a new key each time', () => {
    const frames = [1, 2].map(() =>
      Buffer.concat(Sender.frame(Buffer.alloc(8), { fin: true, opcode: 2, mask: true })),
    )
    expect(frames[0]).not.toEqual(frames[1])
  })
})

describe('sendFrame', () => {
  test('sends the frames of one list to many sockets, after what was sent before', async () => {
    const pairs = await Promise.all([open(), open()])
    const list = Sender.frame('shared', { fin: true, opcode: 1 })
    const received = pairs.map(async ({ client }) => {
      const texts: string[] = []
      client.on('message', (data) => texts.push(String(data as Buffer)))
      await once(client, 'close')
      return texts
    })
    const callback = vi.fn()
    for (const { accepted } of pairs) {
      accepted.send('before')
      senderOf(accepted).sendFrame(list, callback)
      senderOf(accepted).sendFrame([Buffer.concat(list)])
      accepted.close()
    }
    expect(await Promise.all(received)).toEqual([
      ['before', 'shared', 'shared'],
      ['before', 'shared', 'shared'],
    ])
    expect(callback.mock.calls.map(([error]) => error as unknown)).toEqual([undefined, undefined])
  })

  test('tells its callback that the socket is no longer open', async () => {
    const { accepted } = await open()
    accepted.close()
    const error = await new Promise((resolve) => {
      senderOf(accepted).sendFrame(Sender.frame('late', { fin: true, opcode: 1 }), resolve)
    })
    expect(error).toEqual(new Error('WebSocket is not open'))
    senderOf(accepted).sendFrame(Sender.frame('late', { fin: true, opcode: 1 }))
  })
})
