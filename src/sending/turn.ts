import { throwLater } from '../options/thrown.js'

/** Something that gathers what it has to write until the turn ends. */
export interface Flushable {
  flush(): void
}

/**
 * The turn: everything written while a chunk of input is handled leaves when that chunk is done, everything else at
 * the end of the tick. A socket write costs 2 to 4 µs and a frame tens of nanoseconds, so the number of writes is what
 * counts. Waiting longer than the tick would cost latency.
 */
const waiting: Flushable[] = []
/** How many of them were flushed. A chunk that is handled within a flush (of an in-process stream) continues here. */
let flushed = 0
let depth = 0
let isTicking = false

/** Runs `handle`, and then writes out what it and everything it called have sent. */
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

/** Has `flush` called at the end of the turn. Call it once per turn. */
export function flushAfterTurn(subject: Flushable): void {
  waiting.push(subject)
  if (depth > 0 || isTicking) return
  isTicking = true
  process.nextTick(flushTick)
}

function flushTick(): void {
  isTicking = false
  flushAll()
}

function flushAll(): void {
  // What a flush adds is flushed by this loop too.
  while (flushed < waiting.length) {
    try {
      waiting[flushed++]!.flush()
    } catch (error) {
      // Thrown outside the loop: a failing flush must not keep the others waiting.
      throwLater(error)
    }
  }
  waiting.length = 0
  flushed = 0
}
