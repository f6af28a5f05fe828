import { checkInteger, checkOptions, LONGEST_TIMER } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { checkNames } from '../options/spelling.js'
import type { HistoryPosition } from '../relay/history.js'
import type { Payload } from '../sending/payload.js'
import type { PreparedMessage } from '../sending/prepared-message.js'
import type { Exception } from './broadcast.js'
import type { Member } from './member.js'
import type { PublishResult } from './publish-result.js'

/** The longest history, in messages. */
const MAX_SIZE = 100_000
/** The longest text of a position. */
const MAX_TEXT = 256

/** The history of a group. It must be the same in all processes. A hub never forgets which groups have one. */
export interface HistoryOptions {
  /** The most messages that are kept, 1 to 100,000. */
  size: number
  /** Milliseconds for which a message is kept, 1 to 2^31-1. */
  ttl: number
  /**
   * Returns what members get for a message: text is sent as text, bytes as a binary message. It is called once per process
   * for each message that has receivers there, and again for a message that is replayed after 8 MiB of others. If it
   * throws, or returns something else, the members miss the message, and the hub emits `'error'`.
   *
   * @param data - the published message: text as a string, anything else as a Buffer
   * @param position - to be sent with the message, so that a client that reconnects can resume after it
   */
  encode: (data: string | Buffer, position: HistoryPosition) => Payload
}

/** Options of `hub.group()`. */
export interface GroupOptions {
  /** Keeps the last messages of the group, so that members can get what they missed; none by default. */
  history?: HistoryOptions | null | undefined
}

/** Options of `group.add()`, for a group with a history. */
export interface JoinOptions {
  /**
   * The last position that the client has: the messages after it are sent again. It comes from the client, so any value
   * is allowed: a `HistoryPosition`, the JSON text of one, or anything else, such as `undefined`, which recovers nothing.
   */
  since: unknown
}

/** How a member joined a group with a history. */
export interface JoinResult {
  /** Whether the member got every message after `since`. If not, have the client reload its state. */
  recovered: boolean
  /** The member gets every message after this position. `undefined` if it left, or closed, before it had joined. */
  position: HistoryPosition | undefined
}

/** A command was given and not answered, because the connection to the broker was lost. */
export class ConnectionLost extends Error {
  constructor() {
    super('The connection to the broker was lost')
  }
}

/** Checked options. */
export type HistorySettings = Readonly<HistoryOptions>

/** The history of one group, as its handles see it. */
export interface GroupHistory {
  /** Appends a message, and delivers it when it has its position. */
  publish(message: PreparedMessage, except: Exception): Promise<PublishResult>
  /** Adds a member after replaying what it missed. */
  join(member: Member, since: unknown): Promise<JoinResult>
}

/** The histories of a hub. */
export interface Histories {
  /** Gives a group a history. @throws TypeError or Error when it cannot have this one */
  declare(name: string, options: HistoryOptions): void
  of(name: string): GroupHistory | undefined
}

/** The settings of all groups with a history, each declared once. */
export class Declarations {
  readonly #settings = new Map<string, HistorySettings>()

  /** @throws TypeError or RangeError naming the option that cannot be used; Error when there are other settings */
  add(name: string, options: HistoryOptions, hasMembers: boolean): HistorySettings {
    const settings = toSettings(options)
    const known = this.#settings.get(name)
    if (known === undefined) {
      if (hasMembers) {
        throw new Error(
          `The group ${describe(name)} already has members: declare its history before the first one joins`,
        )
      }
      this.#settings.set(name, settings)
      return settings
    }
    for (const option of ['size', 'ttl', 'encode'] as const) {
      if (known[option] === settings[option]) continue
      throw new Error(
        `The group ${describe(name)} has a history with history.${option} ${describe(known[option])}, not ` +
          `${describe(settings[option])}: give it once, or the same values with the same function`,
      )
    }
    return known
  }

  get(name: string): HistorySettings | undefined {
    return this.#settings.size === 0 ? undefined : this.#settings.get(name)
  }
}

/** The position that a client has sent; `undefined` for anything that is none. */
export function toPosition(since: unknown): HistoryPosition | undefined {
  const value = typeof since === 'string' ? parse(since) : since
  if (typeof value !== 'object' || value === null) return undefined
  const { offset, epoch } = value as Partial<Record<keyof HistoryPosition, unknown>>
  const isPosition = Number.isSafeInteger(offset) && (offset as number) >= 0 && typeof epoch === 'string'
  return isPosition ? { offset: offset as number, epoch } : undefined
}

/** For a method that groups with a history do not have. */
export function useInstead(name: string, call: string, instead: string): TypeError {
  return new TypeError(`The group ${describe(name)} has a history: ${call} cannot be used. Write ${instead}`)
}

function parse(text: string): unknown {
  try {
    return text.length > MAX_TEXT ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function toSettings(options: HistoryOptions): HistorySettings {
  const example = '{ size: 100, ttl: 60_000, encode: (data, position) => JSON.stringify({ data, position }) }'
  checkOptions('history', options, example)
  checkNames(options, ['size', 'ttl', 'encode'], 'history')
  const { size, ttl, encode } = options
  if (typeof encode !== 'function') {
    throw new TypeError(`history.encode must be a function; it is ${describe(encode)}: write ${example}`)
  }
  checkInteger('history.size', size, 1, MAX_SIZE)
  checkInteger('history.ttl', ttl, 1, LONGEST_TIMER)
  return { size, ttl, encode }
}
