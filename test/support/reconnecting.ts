import { WebSocket } from 'hubwire'
import { type ReconnectingOptions, ReconnectingWebSocket, type Status, type UrlSource } from 'hubwire/browser'
import { onTestFinished } from 'vitest'
import { Queue } from './queue.js'

/** A reconnecting client in this process, and what it told so far. It ends with the test. */
export interface Watched<Position> {
  readonly socket: ReconnectingWebSocket<Position>
  /** Its `'state'` events, in order. */
  readonly states: Queue<Status>
  readonly messages: Queue<unknown>
  readonly errors: Queue<unknown>
  /** What it wrote to the log. */
  readonly lines: string[]
}

/** So short that a test need not wait, and long enough to be told from none. */
export const QUICK = { min: 1, first: 20, max: 40 }

/** Makes one that connects by hubwire's own class, with short delays. */
export function reconnecting<Position = unknown>(
  url: UrlSource<Position>,
  options: ReconnectingOptions<Position> = {},
): Watched<Position> {
  const lines: string[] = []
  const log = (line: string): unknown => lines.push(line)
  const socket = new ReconnectingWebSocket<Position>(url, { WebSocket, delay: QUICK, log, ...options })
  const [states, messages, errors] = [new Queue<Status>(), new Queue<unknown>(), new Queue<unknown>()]
  socket.addEventListener('state', (event) => {
    states.push(statusOf(event))
  })
  socket.addEventListener('message', ({ data }) => {
    messages.push(data)
  })
  socket.addEventListener('error', ({ error }) => {
    errors.push(error)
  })
  onTestFinished(() => {
    socket.close()
  })
  return { socket, states, messages, errors, lines }
}

/** The fields of a `'state'` event without those of every event. */
function statusOf(event: Event & Status): Status {
  return Object.fromEntries(
    Object.entries(event).filter(([name]) => name !== 'isTrusted'),
  ) as unknown as Status
}

/** The next states up to one of this name, that one included, by their names. */
export async function statesUntil(states: Queue<Status>, last: Status['state']): Promise<Status['state'][]> {
  const names: Status['state'][] = []
  while (names.at(-1) !== last) names.push((await states.next()).state)
  return names
}

/** Skips states until one of this name. */
export async function stateOf<Name extends Status['state']>(
  states: Queue<Status>,
  name: Name,
): Promise<Status & { state: Name }> {
  while (true) {
    const status = await states.next()
    if (status.state === name) return status as Status & { state: Name }
  }
}
