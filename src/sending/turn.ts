/** Something that gathers what it has to write until the turn ends. */
export interface Flushable {
  flush(): void
}

/**
 * The turn: everything written while a chunk of input is handled leaves when that chunk is done, everything else at
 * the end of the tick. A socket write costs 2 to 4 µs and a frame some tens of nanoseconds, so the number of writes is
 * what counts; and no later than the tick, so that latency does not pay for it.
 */
const waiting: Flushable[] = []
/** How many of them had their flush; a chunk that is handled within one (of a stream within the process) goes on here. */
let flushed = 0
let depth = 0
let ticking = false

/** Runs `handle`, and then writes out what it and all it called have sent. */
export function inTurn<Subject>(
  subject: Subject,
  chunk: Buffer,
  handle: (subject: Subject, chunk: Buffer) => void,
): void {
  depth++
  try {
    handle(subject, chunk)
  } finally {
    if (--depth === 0) flushAll()
  }
}

/** Has `flush` called at the end of the turn; call it once a turn. */
export function flushAfterTurn(subject: Flushable): void {
  waiting.push(subject)
  if (depth > 0 || ticking) return
  ticking = true
  process.nextTick(flushTick)
}

function flushTick(): void {
  ticking = false
  flushAll()
}

function flushAll(): void {
  // What a flush adds has its turn in this loop too.
  while (flushed < waiting.length) waiting[flushed++]!.flush()
  waiting.length = 0
  flushed = 0
}
