/** The place of a message in the history of a group. */
export interface HistoryPosition {
  /** Counts the messages of the group from 1 on; 0 is the place in front of the first. */
  readonly offset: number
  /** Names the series of offsets. A history that was lost begins another one. */
  readonly epoch: string
}

/** How a relay is to keep a history. */
export interface HistoryLimits {
  /** The most entries that are kept. */
  readonly size: number
  /** Milliseconds for which an entry is kept. */
  readonly ttl: number
  /**
   * The last position that this process knows. If the history has the same epoch and fewer entries, it has lost some, as
   * a replica that has taken over may have: it is emptied, and begins another epoch.
   */
  readonly seen: HistoryPosition | undefined
}

/** A part of a history. */
export interface HistoryPage {
  readonly epoch: string
  /** The offset of the last entry of the whole history; 0 when there has never been one. */
  readonly top: number
  /** The offset of the first of `entries`, or of the next entry to come if there are none. */
  readonly first: number
  /** Consecutive entries, from the first that is kept on. */
  readonly entries: readonly Buffer[]
}

/**
 * Keeps the last entries of channels, for groups with a history. `position` of an entry is its epoch and its offset. An
 * epoch has at most 64 letters, digits, `-` and `_`, begins with a digit, and never occurs a second time: use random
 * bytes in hexadecimal digits behind a `0`.
 *
 * What a hub relies on: appending and publishing are one step, so that subscribers get the entries in the order of their
 * offsets, and whoever reads while subscribed gets each entry from the page, from the subscription, or from both. An epoch
 * and its last offset are kept for a day at least when all entries have gone, if the broker keeps anything for so long.
 */
export interface RelayHistory {
  /**
   * Appends entries to the history of a channel, and publishes each to the subscribers of the channel as
   * `<epoch>:<offset>:<entry>`: the epoch and the offset (in decimal digits) are ASCII, the entry follows as it is.
   *
   * @returns the position of the last; rejects when the broker has refused them, or may not have taken them
   */
  append(channel: string, entries: readonly Buffer[], limits: HistoryLimits): Promise<HistoryPosition>
  /**
   * Reads the entries that follow an offset, in whole entries up to some bound of its own: at least one if there is one.
   * Begins an epoch if the channel has none.
   */
  read(channel: string, after: number, limits: HistoryLimits): Promise<HistoryPage>
}

/** The longest head of a published entry. */
const MAX_HEAD = 64 + 1 + 16 + 1
const COLON = 0x3a
const EPOCH = /^\d[\w-]{0,63}$/
const OFFSET = /^[1-9]\d{0,15}$/

/** An entry as it arrived from the broker. */
export interface HistoryEntry {
  readonly position: HistoryPosition
  readonly bytes: Buffer
}

/** Whether these bytes begin as an entry does: with an epoch. Envelopes begin with a letter. */
export function isEntry(bytes: Buffer): boolean {
  const first = bytes[0] ?? 0
  return first >= 0x30 && first <= 0x39
}

/** `undefined` if these bytes are not a published entry. */
export function readEntry(bytes: Buffer): HistoryEntry | undefined {
  const head = bytes.subarray(0, MAX_HEAD)
  const middle = head.indexOf(COLON)
  const end = head.indexOf(COLON, middle + 1)
  if (middle === -1 || end === -1) return undefined
  const [epoch, offset] = [
    head.toString('latin1', 0, middle),
    toOffset(head.toString('latin1', middle + 1, end)),
  ]
  if (!EPOCH.test(epoch) || offset === undefined) return undefined
  return { position: { epoch, offset }, bytes: bytes.subarray(end + 1) }
}

/**
 * Checks what a broker has answered.
 *
 * @throws TypeError when it is no page
 */
export function checkPage(page: HistoryPage): HistoryPage {
  const { epoch, top, first, entries } = page
  const isPage =
    isEpoch(epoch) &&
    isOffset(top) &&
    isOffset(first) &&
    Array.isArray(entries) &&
    entries.every((entry) => Buffer.isBuffer(entry)) &&
    (entries.length === 0 ? first === top + 1 : first >= 1 && first + entries.length - 1 <= top)
  if (isPage) return page
  throw new TypeError("The broker's reply is not a valid page of a history")
}

/**
 * Checks what a broker has answered.
 *
 * @throws TypeError when it is no position
 */
export function checkPosition(position: HistoryPosition): HistoryPosition {
  if (isEpoch(position.epoch) && isOffset(position.offset)) return position
  throw new TypeError("The broker's reply is not a valid position in a history")
}

/** The number that digits stand for, if it is an offset of an entry. */
export function toOffset(digits: string): number | undefined {
  const offset = OFFSET.test(digits) ? Number(digits) : Number.NaN
  return Number.isSafeInteger(offset) ? offset : undefined
}

function isEpoch(value: unknown): value is string {
  return typeof value === 'string' && EPOCH.test(value)
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
