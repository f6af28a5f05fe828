import { createHash } from 'node:crypto'
import {
  type HistoryLimits,
  type HistoryPage,
  type HistoryPosition,
  type RelayHistory,
  toOffset,
} from '../history.js'
import { newEpoch } from '../memory-history.js'

/** Milliseconds for which the position of a history is kept after its last use. */
const KEEP_POSITION = 24 * 60 * 60 * 1000
/** What is read at once. */
const MAX_READ = 512
const MAX_READ_BYTES = 1024 * 1024

/** A command of Redis, by its name and its arguments. Strings are answered as Buffers. */
type Evaluate = (command: 'EVALSHA' | 'EVAL', words: readonly (string | Buffer)[]) => Promise<unknown>

/**
 * Opens a history. KEYS[1] is a hash with its epoch, its last offset, and when its first entry will be too old; KEYS[2] is
 * the list of its entries, `<milliseconds>:<entry>`. ARGV begins with a new epoch, the ttl, how long the position is kept,
 * and the position that the caller has seen.
 */
const OPEN = `
local fields = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'due')
local epoch, top, due = fields[1], tonumber(fields[2]), tonumber(fields[3]) or 0
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ttl = tonumber(ARGV[2])
if not epoch or not top or (epoch == ARGV[4] and top < tonumber(ARGV[5])) then
  epoch, top, due = ARGV[1], 0, 0
  redis.call('DEL', KEYS[2])
end
local function digits(number) return string.format('%.0f', number) end
local function born(entry) return tonumber(string.match(entry, '^%d+')) or 0 end
local function keep()
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'offset', digits(top), 'due', digits(due))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
`

/** ARGV continues with the size, the channel, and the entries. */
const APPEND = `${OPEN}
for index = 8, #ARGV do
  top = top + 1
  redis.call('RPUSH', KEYS[2], digits(now) .. ':' .. ARGV[index])
  redis.call('PUBLISH', ARGV[7], epoch .. ':' .. digits(top) .. ':' .. ARGV[index])
end
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[6]), -1)
while now >= due do
  due = born(redis.call('LINDEX', KEYS[2], 0)) + ttl
  if now >= due then redis.call('LPOP', KEYS[2]) end
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
keep()
return {epoch, digits(top)}
`

/** ARGV continues with the offset to read behind, and the most entries and bytes. */
const READ = `${OPEN}
local length = redis.call('LLEN', KEYS[2])
local first = math.max(tonumber(ARGV[6]) + 1, top - length + 1)
local page, bytes = {epoch, digits(top), ''}, 0
local index = first - (top - length + 1)
while index < length and #page < 3 + ARGV[7] and bytes < tonumber(ARGV[8]) do
  for _, entry in ipairs(redis.call('LRANGE', KEYS[2], index, index + 15)) do
    if #page == 3 + ARGV[7] or bytes >= tonumber(ARGV[8]) then break end
    if #page == 3 and born(entry) + ttl <= now then
      first = first + 1
    else
      page[#page + 1] = string.sub(entry, (string.find(entry, ':', 1, true) or 0) + 1)
      bytes = bytes + #entry
    end
  end
  index = index + 16
end
if #page == 3 then first = top + 1 end
page[3] = digits(first)
keep()
return page
`

/** A script of Redis, which is sent when the server does not know it. */
class Script {
  readonly #source: string
  readonly #hash: string

  constructor(source: string) {
    this.#source = source
    this.#hash = createHash('sha1').update(source).digest('hex')
  }

  async run(evaluate: Evaluate, channel: string, words: readonly (string | Buffer)[]): Promise<Buffer[]> {
    const rest = ['2', `${channel}:position`, `${channel}:entries`, ...words]
    const reply = await evaluate('EVALSHA', [this.#hash, ...rest]).catch((error: unknown) => {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return evaluate('EVAL', [this.#source, ...rest])
    })
    if (Array.isArray(reply) && reply.every((value) => Buffer.isBuffer(value))) return reply
    throw new TypeError('The reply from Redis is not a valid reply of the script')
  }
}

const append = new Script(APPEND)
const read = new Script(READ)

/** Keeps histories in Redis: two keys for each channel, `<channel>:position` and `<channel>:entries`. */
export class RedisHistory implements RelayHistory {
  readonly #evaluate: Evaluate

  constructor(evaluate: Evaluate) {
    this.#evaluate = evaluate
  }

  async append(channel: string, entries: readonly Buffer[], limits: HistoryLimits): Promise<HistoryPosition> {
    const words = [...opening(limits), String(limits.size), channel, ...entries]
    const [epoch, top] = await append.run(this.#evaluate, channel, words)
    return { epoch: String(epoch), offset: numberOf(top) }
  }

  async read(channel: string, after: number, limits: HistoryLimits): Promise<HistoryPage> {
    const words = [...opening(limits), String(after), String(MAX_READ), String(MAX_READ_BYTES)]
    const [epoch, top, first, ...entries] = await read.run(this.#evaluate, channel, words)
    return { epoch: String(epoch), top: numberOf(top), first: numberOf(first), entries }
  }
}

function opening({ ttl, seen }: HistoryLimits): string[] {
  const keep = Math.max(ttl, KEEP_POSITION)
  return [newEpoch(), String(ttl), String(keep), seen?.epoch ?? '', String(seen?.offset ?? 0)]
}

/** The number in a reply; `NaN` for anything else, which the hub refuses. */
function numberOf(digits: Buffer | undefined): number {
  const text = String(digits)
  return text === '0' ? 0 : (toOffset(text) ?? Number.NaN)
}
