import { throwLater } from '../options/thrown.js'

/** Something that collects its output until the turn ends. */
export interface Flushable {
  flush(): void
}

/**
 * The turn: everything sent while a chunk of input is handled is written when that chunk is done, everything else at
 * the end of the tick. A socket write costs 2 to 4 µs and a frame tens of nanoseconds, so the number of writes is what
 * counts. Waiting longer than the tick would cost latency.
 */
const waiting: (Flushable | undefined)[] = []
/** The end of the list, which keeps its memory: to begin it anew for each turn costs 25 ns. */
let end = 0
/** How many of them were flushed. A chunk that is handled within a flush (by an in-process stream) continues here. */
let flushed = 0
let depth = 0
let isTicking = false

/** Runs `handle`, and then writes everything that was sent during it. */
export function inTurn<Subject, Input>(
  subject: Subject,
  input: Input,
  handle: (subject: Subject, input: Input) => void,
): void {
  depth++
  try {
    handle(subject, input)
  } finally {
    if (--depth === 0) flushAll()
  }
}

/** Calls `flush` at the end of the turn. Call this once per turn. */
export function flushAfterTurn(subject: Flushable): void {
  waiting[end++] = subject
  if (depth > 0 || isTicking) return
  isTicking = true
  process.nextTick(flushTick)
}

function flushTick(): void {
  isTicking = false
  flushAll()
}

function flushAll(): void {
  // This loop also flushes what a flush adds.
  while (flushed < end) {
    const subject = waiting[flushed]!
    waiting[flushed++] = undefined
    try {
      subject.flush()
    } catch (error) {
      // Thrown outside of the loop: a failing flush must not delay the others.
      throwLater(error)
    }
  }
  flushed = end = 0
}
