import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientFrame, opcode, type RawFrame, type ReceivedFrame } from '../support/raw-frame.js'
import { answerAsServer } from '../support/raw-handshake.js'
import type { RawPeer } from '../support/raw-peer.js'
import { sections } from './cases/index.js'
import { MessageDeflate } from './deflate.js'
import type { Outcome } from './judgement.js'
import { runAgainstClient, runAgainstServer } from './run-case.js'
import { subject as ws } from './subjects/ws.js'
import type { ConformanceCase } from './vocabulary.js'

// Checks that the harness detects errors, with servers that have them.

const all = sections.flatMap((section) => section.cases)

function caseOf(id: string): ConformanceCase {
  const found = all.find((testCase) => testCase.id === id)
  if (found === undefined) throw new RangeError(`no case ${id}`)
  return found
}

/** What a scripted server does with a frame. */
type Habit = (frame: ReceivedFrame, peer: RawPeer) => void | Promise<void>

function say(peer: RawPeer, ...frames: Partial<RawFrame>[]): void {
  const whole = frames.map((frame) => ({
    opcode: opcode.text,
    payload: Buffer.alloc(0),
    fin: true,
    rsv: 0,
    ...frame,
  }))
  peer.write(Buffer.concat(whole.map((frame) => peer.encode(frame))))
}

function sayClose(peer: RawPeer, code: number): void {
  say(peer, { opcode: opcode.close, payload: Buffer.of(code >> 8, code & 0xff) })
}

/** Echoes messages, answers Close frames and ends the connection: correct as long as all input is valid. */
const echo: Habit = ({ opcode: code, payload }, peer) => {
  say(peer, { opcode: code, payload })
  if (code === opcode.close) peer.end()
}

/** Handles frames of this opcode with `habit`, and echoes the others. */
function echoBut(code: number, habit: Habit): Habit {
  return (frame, peer) => (frame.opcode === code ? habit(frame, peer) : echo(frame, peer))
}

/** A short timeout for peers that are known not to react. */
const SHORT_PATIENCE = 200

async function verdictOn(id: string, habit: Habit, extensions?: string): Promise<Outcome> {
  const server = createServer((socket) => {
    const fields = extensions === undefined ? {} : { 'Sec-WebSocket-Extensions': extensions }
    void answerAsServer(socket, () => fields).then(async ({ peer }) => {
      for (let frame = await peer.next(); frame !== undefined; frame = await peer.next())
        await habit(frame, peer)
      peer.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return runAgainstServer(caseOf(id), (server.address() as AddressInfo).port, SHORT_PATIENCE)
}

describe('the list of cases', () => {
  test('contains the published number of cases in each section, each once', () => {
    const counts = sections.map(({ title, cases }) => [title.split(' ')[0], cases.length])
    expect(Object.fromEntries(counts)).toEqual({
      1: 16,
      2: 11,
      3: 7,
      4: 10,
      5: 20,
      6: 145,
      7: 37,
      9: 54,
      10: 1,
      12: 90,
      13: 126,
    })
    expect(new Set(all.map(({ id }) => id)).size).toBe(517)
  })
})

describe('the verdict on the messages', () => {
  test.each(['1.1.2', '1.2.7', '5.5', '9.7.2'])('is OK in case %s for an echo', async (id) => {
    const reassemble = new Map<RawPeer, Buffer[]>()
    const outcome = await verdictOn(id, (frame, peer) => {
      if (frame.opcode >= 8) return echo(frame, peer)
      const parts = [...(reassemble.get(peer) ?? []), frame.payload]
      reassemble.set(peer, frame.fin ? [] : parts)
      const kind = id.startsWith('1.2') ? opcode.binary : opcode.text
      if (frame.fin) say(peer, { opcode: kind, payload: Buffer.concat(parts) })
    })
    expect(outcome).toMatchObject({ behavior: 'OK', behaviorClose: 'OK' })
  })

  test('is FAILED for an echo with one byte changed', async () => {
    const flip = echoBut(opcode.text, ({ payload }, peer) => {
      say(peer, { payload: Buffer.concat([payload.subarray(1), Buffer.from('!')]) })
    })
    expect(await verdictOn('1.1.2', flip)).toMatchObject({ behavior: 'FAILED' })
    expect(await verdictOn('9.7.2', flip)).toMatchObject({ behavior: 'FAILED' })
  })

  test('is FAILED for an echo of the wrong kind', async () => {
    const asBinary = echoBut(opcode.text, ({ payload }, peer) => {
      say(peer, { opcode: opcode.binary, payload })
    })
    expect(await verdictOn('1.1.2', asBinary)).toMatchObject({ behavior: 'FAILED' })
  })

  test('is FAILED for a frame that is masked, reserved, after a Close, or has too long a header', async () => {
    const masked = echoBut(opcode.text, ({ payload }, peer) => {
      peer.write(clientFrame({ opcode: opcode.text, payload }))
    })
    const longHeader = echoBut(opcode.text, ({ payload }, peer) => {
      peer.write(Buffer.concat([Buffer.of(0x81, 126, 0, payload.length), payload]))
    })
    const reserved = echoBut(opcode.text, ({ payload }, peer) => {
      say(peer, { payload, rsv: 4 })
    })
    const late = echoBut(opcode.close, (frame, peer) => {
      say(peer, frame, { payload: Buffer.from('late') })
      peer.end()
    })
    for (const habit of [masked, longHeader, reserved, late]) {
      expect(await verdictOn('1.1.2', habit)).toMatchObject({ behavior: 'FAILED' })
    }
  })

  test('is FAILED for a Pong that waits for the end of the message', async () => {
    const pings: Buffer[] = []
    const outcome = await verdictOn('5.19', (frame, peer) => {
      if (frame.opcode === opcode.ping) pings.push(frame.payload)
      else if (frame.opcode === opcode.close) return echo(frame, peer)
      if (frame.opcode !== opcode.continuation || !frame.fin) return
      say(peer, ...pings.map((payload) => ({ opcode: opcode.pong, payload })))
      say(peer, { payload: Buffer.from('one two three four five') })
    })
    expect(outcome).toMatchObject({ behavior: 'FAILED' })
  })

  test.concurrent.each(['6.4.1', '6.4.2', '6.4.3', '6.4.4'])(
    'is NON-STRICT in case %s for ws, in both roles',
    async (id) => {
      const server = await ws.startEchoServer()
      const outcomes = [
        await runAgainstServer(caseOf(id), server.port),
        await runAgainstClient(caseOf(id), ws),
      ]
      await server.close()
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ behavior: 'NON-STRICT', behaviorClose: 'OK' })
    },
  )

  test('is FAILED for a peer that fails before the invalid byte', async () => {
    const hasty: Habit = (frame, peer) => {
      if (frame.opcode !== opcode.close) sayClose(peer, 1007)
      else peer.end()
    }
    expect(await verdictOn('6.4.1', hasty)).toMatchObject({ behavior: 'FAILED' })
  })
})

describe('the verdict on the closing handshake', () => {
  const close = (habit: Habit): Promise<Outcome> => verdictOn('7.3.3', echoBut(opcode.close, habit))

  test('is UNCLEAN without a Close frame, or without the end of the connection after it', async () => {
    const silent = await close(() => undefined)
    const dropped = await close((_frame, peer) => {
      peer.end()
    })
    const open = await close((frame, peer) => {
      say(peer, frame)
    })
    for (const outcome of [silent, dropped, open]) expect(outcome).toMatchObject({ behaviorClose: 'UNCLEAN' })
  })

  test('is WRONG CODE for another code', async () => {
    const outcome = await close((_frame, peer) => {
      sayClose(peer, 1001)
      peer.end()
    })
    expect(outcome).toMatchObject({ behavior: 'FAILED', behaviorClose: 'WRONG CODE' })
  })

  test('is FAILED if the peer had to close and did not', async () => {
    expect(await verdictOn('4.1.1', () => undefined)).toMatchObject({ behaviorClose: 'FAILED' })
  })

  test('is FAILED BY CLIENT if the peer failed the connection and kept it open', async () => {
    const outcome = await verdictOn('4.1.1', (frame, peer) => {
      if (frame.opcode === 3) sayClose(peer, 1002)
    })
    expect(outcome).toMatchObject({ behavior: 'OK', behaviorClose: 'FAILED BY CLIENT' })
  })
})

describe('the verdict on compression', () => {
  const agreed = 'permessage-deflate; server_no_context_takeover'

  /** Compresses its answers with context takeover, although it agreed not to. */
  function deflating(keepsContext: boolean): Habit {
    const plain = { maxWindowBits: 15 }
    const codec = new MessageDeflate({
      ours: { ...plain, noContextTakeover: !keepsContext },
      peers: { ...plain, noContextTakeover: false },
    })
    return async (frame, peer) => {
      if (frame.opcode >= 8) return echo(frame, peer)
      say(peer, { payload: await codec.deflate(await codec.inflate(frame.payload)), rsv: 4 })
    }
  }

  test('is UNIMPLEMENTED if compression was declined', async () => {
    expect(await verdictOn('12.1.1', echo)).toMatchObject({ behavior: 'UNIMPLEMENTED' })
  })

  test('is OK if the negotiated parameters are kept, FAILED if not', async () => {
    expect(await verdictOn('13.2.4', deflating(false), agreed)).toMatchObject({ behavior: 'OK' })
    expect(await verdictOn('13.2.4', deflating(true), agreed)).toMatchObject({ behavior: 'FAILED' })
  })

  test('is FAILED if the response does not match the offer', async () => {
    const outcome = await verdictOn('13.3.1', echo, 'permessage-deflate; server_max_window_bits=10')
    expect(outcome).toMatchObject({ behavior: 'FAILED' })
  })
})
