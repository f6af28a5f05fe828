/**
 * Reads in shares, so that a few peers that send as fast as they can do not delay others for long: a bounded amount of
 * work per turn for each connection and for the whole process, and the rest with `setImmediate`, round robin. Work is
 * counted in bytes by the decoder: those of the payloads and of what they inflate to, and 4,096 for each frame.
 */

/** Something that has more to read. */
export interface ShareHolder {
  /** Continues to read, with a new share. */
  readShare(): void
}

/** 256 small messages, or 1 MiB. */
const CONNECTION_SHARE = 1024 * 1024

/** What all connections together may use before the event loop turns: 16,384 small messages. */
const PROCESS_SHARE = 64 * CONNECTION_SHARE

/** The least that a connection may use that did not have to wait: 16 small messages. */
const LEAST_SHARE = 64 * 1024

let left = PROCESS_SHARE
let waiting: ShareHolder[] = []
let isScheduled = false

/** The work that a connection may do now. */
export function takeShare(): number {
  return left > 0 ? CONNECTION_SHARE : LEAST_SHARE
}

/** Counts work that was done. */
export function spend(work: number): void {
  left -= work
  // Renewed at half: otherwise a busy process without floods would have to split chunks every few turns.
  if (left <= PROCESS_SHARE / 2) schedule()
}

/** Calls `readShare` in a later turn. */
export function waitForShare(holder: ShareHolder): void {
  waiting.push(holder)
  schedule()
}

function schedule(): void {
  if (isScheduled) return
  isScheduled = true
  setImmediate(nextRound)
}

function nextRound(): void {
  isScheduled = false
  left = PROCESS_SHARE
  const round = waiting
  waiting = []
  let index = 0
  while (index < round.length && left > 0) round[index++]!.readShare()
  if (index === round.length) return
  // In the next round, those that had no share come before those that need another one.
  waiting = round.slice(index).concat(waiting)
  schedule()
}
