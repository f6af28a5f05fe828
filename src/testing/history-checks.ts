import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import type { HistoryLimits, HistoryPage, HistoryPosition, RelayHistory } from '../relay/history.js'
import { channelName, type Check, type OpenRelay } from './open-relay.js'

const LIMITS: HistoryLimits = { size: 1000, ttl: 60_000, seen: undefined }

type HistoryCheck = (
  history: RelayHistory,
  opened: OpenRelay,
  open: () => Promise<OpenRelay>,
) => Promise<void>

/** Makes a check that a relay without a history passes. */
function ifKept(check: HistoryCheck): Check {
  return async (open) => {
    const opened = await open()
    const { history } = opened.relay
    if (history !== undefined) await check(history, opened, open)
  }
}

const bytesOf = (texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text))

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

/** Everything behind an offset, with the position of the first and of the last. */
async function readAll(
  history: RelayHistory,
  channel: string,
  after: number,
  limits = LIMITS,
): Promise<Omit<HistoryPage, 'entries'> & { texts: string[] }> {
  const texts: string[] = []
  let first: number | undefined
  for (;;) {
    const page = await history.read(channel, after, limits)
    first ??= page.first
    texts.push(...page.entries.map(String))
    const last = page.first + page.entries.length - 1
    if (page.entries.length > 0) strictEqual(page.first > after, true, 'a page begins in front of its place')
    if (last >= page.top) return { epoch: page.epoch, top: page.top, first, texts }
    ok(page.entries.length > 0, 'a page is empty, and there are entries behind it')
    after = last
  }
}

const publishedAs = ({ epoch }: HistoryPosition, offset: number, text: string): string =>
  `${epoch}:${offset}:${text}`

export const historyChecks: Record<string, Check> = {
  'with a history: publishes what it appends with its position, in order': ifKept(
    async (history, { relay, messages, received }) => {
      const channel = channelName()
      await relay.subscribe([channel])
      const first = await history.append(channel, bytesOf(['a', 'b']), LIMITS)
      const second = await history.append(channel, [Buffer.from([0, 0x3a, 0xff])], LIMITS)
      deepStrictEqual([first.offset, second.offset, second.epoch], [2, 3, first.epoch])
      await received(3)
      deepStrictEqual(messages, [
        [channel, Buffer.from(publishedAs(first, 1, 'a'))],
        [channel, Buffer.from(publishedAs(first, 2, 'b'))],
        [channel, Buffer.concat([Buffer.from(publishedAs(first, 3, '')), Buffer.from([0, 0x3a, 0xff])])],
      ])
    },
  ),

  'with a history: reads the entries after an offset, with any bytes': ifKept(async (history) => {
    const channel = channelName()
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const large = Buffer.alloc(1024 * 1024, 0xe2)
    const { epoch } = await history.append(channel, [Buffer.alloc(0), bytes, large], LIMITS)
    const { entries, ...page } = await history.read(channel, 1, LIMITS)
    deepStrictEqual(page, { epoch, top: 3, first: 2 })
    ok(entries[0]!.equals(bytes), 'a byte is changed')
    const [last] = (await history.read(channel, 2, LIMITS)).entries
    ok(last!.equals(large), 'a byte is changed')
    deepStrictEqual(await history.read(channel, 3, LIMITS), { epoch, top: 3, first: 4, entries: [] })
    deepStrictEqual(await history.read(channel, Number.MAX_SAFE_INTEGER, LIMITS), {
      epoch,
      top: 3,
      first: 4,
      entries: [],
    })
  }),

  'with a history: keeps channels separate, and begins an epoch for each that is read': ifKept(
    async (history) => {
      const [one, other] = [channelName(), channelName()]
      const empty = await history.read(one, 0, LIMITS)
      deepStrictEqual([empty.top, empty.first, empty.entries], [0, 1, []])
      const position = await history.append(one, bytesOf(['a']), LIMITS)
      deepStrictEqual(position, { epoch: empty.epoch, offset: 1 })
      notStrictEqual((await history.read(other, 0, LIMITS)).epoch, empty.epoch)
    },
  ),

  'with a history: keeps the last entries, up to size': ifKept(async (history) => {
    const channel = channelName()
    const limits = { ...LIMITS, size: 10 }
    await history.append(channel, bytesOf(numbers(1, 25)), limits)
    const { epoch } = await history.append(channel, bytesOf(numbers(26, 30)), limits)
    deepStrictEqual(await readAll(history, channel, 5), { epoch, top: 30, first: 21, texts: numbers(21, 30) })
  }),

  'with a history: keeps no entry longer than ttl, and its position longer': ifKept(async (history) => {
    const channel = channelName()
    const limits = { ...LIMITS, ttl: 20 }
    const { epoch } = await history.append(channel, bytesOf(['a', 'b']), limits)
    let page: HistoryPage
    do page = await history.read(channel, 0, limits)
    while (page.entries.length > 0)
    deepStrictEqual(page, { epoch, top: 2, first: 3, entries: [] })
    deepStrictEqual(await history.append(channel, bytesOf(['c']), limits), { epoch, offset: 3 })
    ok((await history.read(channel, 0, limits)).first >= 3, 'an entry is back')
  }),

  'with a history: delivers the entries of several publishers in the same order to all': ifKept(
    async (history, one, open) => {
      const [other, third] = [await open(), await open()]
      const channel = channelName()
      await Promise.all([one, other].map(({ relay }) => relay.subscribe([channel])))
      await Promise.all(
        [one, other, third].map(async ({ relay }, index) => {
          for (let count = 0; count < 50; count++) {
            await relay.history!.append(channel, bytesOf([`${index} ${count}`]), LIMITS)
          }
        }),
      )
      await Promise.all([one.received(150), other.received(150)])
      const { epoch, texts } = await readAll(history, channel, 0)
      const expected = texts.map((text, index) => publishedAs({ epoch, offset: 0 }, index + 1, text))
      strictEqual(texts.length, 150)
      for (const { messages } of [one, other]) {
        deepStrictEqual(
          messages.map(([, payload]) => payload.toString()),
          expected,
        )
      }
      for (const index of [0, 1, 2]) {
        const own = texts.filter((text) => text.startsWith(`${index} `))
        deepStrictEqual(
          own,
          own.map((_, count) => `${index} ${count}`),
        )
      }
    },
  ),

  'with a history: loses no entry between a read and the subscription': ifKept(
    async (history, { relay, messages, received }, open) => {
      const publisher = await open()
      const channel = channelName()
      await relay.subscribe([channel])
      const appended: Promise<HistoryPosition>[] = []
      for (let count = 1; count <= 200; count++) {
        appended.push(publisher.relay.history!.append(channel, bytesOf([String(count)]), LIMITS))
        if (count % 20 === 0) await appended[count - 10]
      }
      const { texts, top } = await readAll(history, channel, 0)
      await Promise.all(appended)
      await received(200)
      deepStrictEqual(texts, numbers(1, top))
      const arrived = messages.map(([, payload]) => Number(payload.toString().split(':')[1]))
      deepStrictEqual(arrived, numbers(1, 200).map(Number))
    },
  ),

  'with a history: begins a new epoch if it has lost entries that a node has seen': ifKept(
    async (history) => {
      const channel = channelName()
      const { epoch } = await history.append(channel, bytesOf(['a', 'b']), LIMITS)
      const same = await history.read(channel, 0, { ...LIMITS, seen: { epoch, offset: 2 } })
      deepStrictEqual([same.epoch, same.top], [epoch, 2])
      const foreign = await history.read(channel, 0, { ...LIMITS, seen: { epoch: '0other', offset: 9 } })
      deepStrictEqual([foreign.epoch, foreign.top], [epoch, 2])
      const fallen = await history.read(channel, 0, { ...LIMITS, seen: { epoch, offset: 3 } })
      notStrictEqual(fallen.epoch, epoch)
      deepStrictEqual([fallen.top, fallen.entries], [0, []])
      const seen = { epoch: fallen.epoch, offset: 7 }
      const next = await history.append(channel, bytesOf(['c']), { ...LIMITS, seen })
      notStrictEqual(next.epoch, fallen.epoch)
      strictEqual(next.offset, 1)
    },
  ),

  'with a history: rejects commands after it is closed': ifKept(async (history, { relay }) => {
    await relay.close()
    await rejects(async () => await history.append(channelName(), bytesOf(['late']), LIMITS))
    await rejects(async () => await history.read(channelName(), 0, LIMITS))
  }),
}
