import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { answerAsServer, openAsClient } from '../support/raw-handshake.js'
import type { RawPeer } from '../support/raw-peer.js'
import { Conversation } from './conversation.js'
import { MessageDeflate } from './deflate.js'
import { judge, type Outcome } from './judgement.js'
import { agreementFrom, offersFor, respondTo, type DeflateAgreement } from './negotiation.js'
import { finish, performSteps } from './script.js'
import type { Subject } from './subject.js'
import type { ConformanceCase } from './vocabulary.js'

/** How long one wait may last before the case goes on without what it waits for, in milliseconds. */
const PATIENCE = 20_000

function failedToOpen(error: unknown): Outcome {
  return {
    behavior: 'FAILED',
    behaviorClose: 'FAILED',
    detail: `the opening handshake was not completed: ${String(error)}`,
  }
}

async function converse(
  testCase: ConformanceCase,
  peer: RawPeer,
  role: 'client' | 'server',
  agreement: DeflateAgreement | undefined,
  patience: number,
): Promise<Outcome> {
  const deflate = agreement === undefined ? undefined : new MessageDeflate(agreement)
  const conversation = new Conversation(peer, role, patience, deflate)
  const unimplemented = testCase.deflate !== undefined && agreement === undefined
  try {
    if (!unimplemented) await performSteps(conversation, testCase.steps)
    await finish(conversation, testCase.expect)
    const outcome = judge(conversation, testCase.expect)
    return unimplemented ? { ...outcome, behavior: 'UNIMPLEMENTED' } : outcome
  } finally {
    conversation.release()
  }
}

/** Runs a case in the client's role against a server on this port. */
export async function runAgainstServer(
  testCase: ConformanceCase,
  port: number,
  patience: number = PATIENCE,
): Promise<Outcome> {
  const requests = testCase.deflate ?? []
  const fields = requests.length > 0 ? { 'Sec-WebSocket-Extensions': offersFor(requests) } : {}
  try {
    const { peer, response } = await openAsClient(port, fields)
    const agreement = agreementFrom(requests, response.fields.get('sec-websocket-extensions'))
    return await converse(testCase, peer, 'client', agreement, patience)
  } catch (error) {
    return failedToOpen(error)
  }
}

async function serve(testCase: ConformanceCase, socket: Socket): Promise<Outcome> {
  let agreement: DeflateAgreement | undefined
  const { peer } = await answerAsServer(socket, (request) => {
    const chosen = respondTo(testCase.deflate ?? [], request.fields.get('sec-websocket-extensions'))
    agreement = chosen?.agreement
    return chosen === undefined ? {} : { 'Sec-WebSocket-Extensions': chosen.response }
  })
  return converse(testCase, peer, 'server', agreement, PATIENCE)
}

/** Runs a case in the server's role against the subject's client, which is started for it. */
export async function runAgainstClient(testCase: ConformanceCase, subject: Subject): Promise<Outcome> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const closed = subject.runEchoClient(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const [socket] = await accepted
    const outcome = await serve(testCase, socket).catch(failedToOpen)
    socket.destroy()
    await closed
    return outcome
  } finally {
    server.close()
  }
}
