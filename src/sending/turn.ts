import { throwLater } from '../options/thrown.js'

/** Something that collects its output until the turn ends. */
export interface Flushable {
  flush(): void
}

/**
 * The turn: everything sent while a chunk of input is handled is written when that chunk is done, everything else at
 * the end of the tick. Broadcasts wait longer. A socket write costs 2 to 4 µs and a frame tens of nanoseconds, so the number
 * of writes is what counts.
 */
const waiting: (Flushable | undefined)[] = []
/** The end of the list, which keeps its memory: to begin it anew for each turn costs 25 ns. */
let end = 0
/** How many of them were flushed. A chunk that is handled within a flush (by an in-process stream) continues here. */
let flushed = 0
let depth = 0
let isTicking = false

/**
 * What only has broadcasts to write. These wait until the event loop has handled the other chunks that have arrived, since
 * a broadcast costs a write for each member: many members that send at the same time share these writes.
 */
let broadcasts: Flushable[] = []
let isScheduled = false
/** The chunks that were handled since the first of these broadcasts. */
let chunks = 0

/** Broadcasts do not wait for more chunks than this: each may take as long as a connection's share of work. */
const MOST_CHUNKS = 64

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
    if (--depth === 0) endChunk()
  }
}

function endChunk(): void {
  flushAll()
  if (broadcasts.length > 0 && ++chunks >= MOST_CHUNKS) flushBroadcasts()
}

/** Calls `flush` at the end of the turn. Call this once per turn. */
export function flushAfterTurn(subject: Flushable): void {
  waiting[end++] = subject
  if (depth > 0 || isTicking) return
  isTicking = true
  process.nextTick(flushTick)
}

/** Calls `flush` when the chunks that have arrived are handled. */
export function flushAfterChunks(subject: Flushable): void {
  broadcasts.push(subject)
  if (isScheduled) return
  isScheduled = true
  setImmediate(flushImmediate)
}

function flushImmediate(): void {
  isScheduled = false
  flushBroadcasts()
}

function flushBroadcasts(): void {
  const subjects = broadcasts
  broadcasts = []
  chunks = 0
  for (const subject of subjects) flushOne(subject)
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
    flushOne(subject)
  }
  flushed = end = 0
}

function flushOne(subject: Flushable): void {
  try {
    subject.flush()
  } catch (error) {
    // Thrown outside of the loop: a failing flush must not delay the others.
    throwLater(error)
  }
}
