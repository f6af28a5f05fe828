import { settled, turn } from '../support/event-loop.js'
import { opcode, type RawFrame } from '../support/raw-frame.js'
import type { Conversation, ReceivedEvent } from './conversation.js'
import type { Exchange } from './corpus.js'
import { bytesOf } from './vocabulary.js'
import type { Expectation, ExpectedEvent, FrameStep, Step } from './vocabulary.js'

function rawFrame(step: FrameStep): RawFrame {
  return { ...step, payload: bytesOf(step.payload) }
}

function encode(conversation: Conversation, frames: readonly FrameStep[]): Buffer[] {
  return frames.map((step) => conversation.encode(rawFrame(step)))
}

function sameEvent(expected: ExpectedEvent, event: ReceivedEvent | undefined): boolean {
  return (
    event?.kind === expected.kind &&
    ('payload' in expected ? bytesOf(expected.payload).equals(event.payload) : true)
  )
}

export function sameEvents(expected: readonly ExpectedEvent[], events: readonly ReceivedEvent[]): boolean {
  return (
    expected.length === events.length && expected.every((event, index) => sameEvent(event, events[index]))
  )
}

async function sendPieces(
  conversation: Conversation,
  frames: readonly FrameStep[],
  size: number | 'frame',
): Promise<void> {
  const encoded = encode(conversation, frames)
  if (size !== 'frame') return conversation.writeInPieces(Buffer.concat(encoded), size)
  for (const bytes of encoded) {
    conversation.write(bytes)
    await turn()
  }
}

/** How long to wait for a peer that does not fail fast. Only such a peer makes the case take this long. */
const FAIL_FAST_PATIENCE = 1_000

function cutBytes(bytes: Buffer, payloadLength: number, cuts: readonly number[]): Buffer[] {
  const header = bytes.length - payloadLength
  const bounds = [0, ...cuts.map((cut) => header + cut), bytes.length]
  return bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end))
}

async function sendFailFast(
  conversation: Conversation,
  frames: readonly FrameStep[],
  cuts: readonly number[],
): Promise<void> {
  const encoded = encode(conversation, frames)
  const payloadLength = frames.reduce((sum, step) => sum + bytesOf(step.payload).length, 0)
  const parts = cuts.length === 0 ? encoded : cutBytes(Buffer.concat(encoded), payloadLength, cuts)
  const [accepted, wrong, withheld] = parts
  conversation.write(accepted!)
  await settled()
  if (conversation.left) {
    conversation.faults.push('the part before the wrong one was refused')
    return
  }
  conversation.write(wrong!)
  if (await conversation.waitFor(() => conversation.left, FAIL_FAST_PATIENCE)) return
  conversation.events.push({ kind: 'withheld part sent', payload: Buffer.alloc(0) })
  conversation.write(withheld!)
}

async function makeRoundTrips(
  conversation: Conversation,
  exchange: Exchange,
  fragmentSize: number,
): Promise<void> {
  const kind = exchange.binary ? 'binary' : 'text'
  for (let index = 0; index < exchange.count; index++) {
    const payload = exchange.message(index)
    await conversation.sendMessage(kind, payload, fragmentSize)
    await conversation.waitFor(() => conversation.events.length > 0 || conversation.left)
    // Taken out again, so that a thousand messages are not held until the end.
    if (!sameEvent({ kind, payload }, conversation.events.shift())) {
      conversation.faults.push(`message ${index + 1} of ${exchange.count} did not come back as sent`)
      return
    }
  }
}

async function perform(conversation: Conversation, step: Exclude<Step, FrameStep>): Promise<void> {
  switch (step.kind) {
    case 'pieces':
      return sendPieces(conversation, step.frames, step.size)
    case 'fail-fast':
      return sendFailFast(conversation, step.frames, step.cuts)
    case 'round-trips':
      return makeRoundTrips(conversation, step.exchange, step.fragmentSize)
    case 'await': {
      const { event } = step
      const came = (): boolean => conversation.events.some((received) => sameEvent(event, received))
      if (!(await conversation.waitFor(() => came() || conversation.left)) || !came()) {
        conversation.faults.push(`no ${event.kind} came before the next step`)
      }
    }
  }
}

/** Sends what the steps say. Frames that stand side by side leave in one write. */
export async function performSteps(conversation: Conversation, steps: readonly Step[]): Promise<void> {
  const together: FrameStep[] = []
  const flush = (): void => {
    if (together.length > 0) conversation.write(Buffer.concat(encode(conversation, together.splice(0))))
  }
  for (const step of steps) {
    if (step.kind === 'frame') {
      together.push(step)
    } else {
      flush()
      await perform(conversation, step)
    }
  }
  flush()
}

function sendClose(conversation: Conversation, code: number): void {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  conversation.send({ opcode: opcode.close, payload, fin: true, rsv: 0 })
}

/** Goes through the closing handshake from whichever end it begins, down to the end of the TCP connection. */
export async function finish(conversation: Conversation, expectation: Expectation): Promise<void> {
  const answered = (): boolean =>
    expectation.closedBy === 'us' && sameEvents(expectation.events, conversation.events)
  if (!conversation.closeSent) await conversation.waitFor(() => conversation.left || answered())
  if (!conversation.closeSent) {
    const going = conversation.left || answered()
    // 1001: the wait has timed out, and the peer should have closed or answered.
    sendClose(conversation, going ? 1000 : 1001)
  }
  await conversation.waitFor(() => conversation.left)
  if (conversation.role === 'server') {
    // The server closes the TCP connection first (RFC 6455 section 7.1.1), and here that is us.
    conversation.hangUp()
    await conversation.waitFor(() => conversation.over)
  } else if (!(await conversation.waitFor(() => conversation.over)) && !conversation.over) {
    conversation.droppedByUs = true
  }
}
