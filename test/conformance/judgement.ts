import type { Conversation } from './conversation.js'
import { sameEvents } from './script.js'
import type { Expectation } from './vocabulary.js'

/** The verdicts of Autobahn's reports, for the messages and for the closing handshake. */
export type Behavior =
  | 'OK'
  | 'NON-STRICT'
  | 'INFORMATIONAL'
  | 'UNIMPLEMENTED'
  | 'FAILED'
  | 'WRONG CODE'
  | 'UNCLEAN'
  | 'FAILED BY CLIENT'

export interface Outcome {
  readonly behavior: Behavior
  readonly behaviorClose: Behavior
  /** What was seen on the wire, to explain a case that is not OK. */
  readonly detail: string
}

function describe(conversation: Conversation): string {
  const events = conversation.events.map(({ kind, payload }) => {
    const start = payload.subarray(0, 24).toString('hex')
    return payload.length === 0 ? kind : `${kind} ${start} (${payload.length} bytes)`
  })
  const close = conversation.peerClose
  const code = close === undefined ? 'none' : `${close.code ?? 'without a code'} ${close.reason}`.trim()
  return [
    `received: ${events.join(', ') || 'nothing'}`,
    `Close frame from the peer: ${code}`,
    `closing begun by ${conversation.closedByUs ? 'us' : 'the peer'}`,
    ...(conversation.droppedByUs ? ['TCP dropped by us'] : []),
    ...conversation.faults,
  ].join('; ')
}

function judgeEvents(conversation: Conversation, expectation: Expectation): Behavior {
  if (conversation.faults.length > 0) return 'FAILED'
  if (sameEvents(expectation.events, conversation.events)) return 'OK'
  const { tolerated } = expectation
  return tolerated !== undefined && sameEvents(tolerated, conversation.events) ? 'NON-STRICT' : 'FAILED'
}

function judgeClose(conversation: Conversation, expectation: Expectation): Behavior {
  const code = conversation.peerClose?.code
  if (conversation.closedByUs !== (expectation.closedBy === 'us')) return 'FAILED'
  const clean = conversation.peerClose !== undefined && !conversation.droppedByUs
  if (expectation.clean && !clean) return 'UNCLEAN'
  if (code !== undefined && !expectation.codes.includes(code)) return 'WRONG CODE'
  return conversation.droppedByUs ? 'FAILED BY CLIENT' : 'OK'
}

/** Compares what happened on one connection with what was expected. */
export function judge(conversation: Conversation, expectation: Expectation): Outcome {
  const detail = describe(conversation)
  if (expectation.informational === true) {
    return { behavior: 'INFORMATIONAL', behaviorClose: 'INFORMATIONAL', detail }
  }
  const behaviorClose = judgeClose(conversation, expectation)
  const fatal = behaviorClose === expectation.fatal
  return { behavior: fatal ? 'FAILED' : judgeEvents(conversation, expectation), behaviorClose, detail }
}
