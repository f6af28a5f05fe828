import { describe, expect, test } from 'vitest'
import { Counters, type NodeHeartbeat } from '#src/relay/counters.js'
import { Flag } from '#src/relay/envelope.js'

/** One heartbeat that the broker takes. */
function beat(counters: Counters): NodeHeartbeat {
  const heartbeat = counters.heartbeat()
  counters.taken(heartbeat)
  return heartbeat
}

describe('the numbers of a group', () => {
  test('begin at 1 with the start flag, and continue from there', () => {
    const counters = new Counters()
    expect(counters.topOf('a')).toBe(0)
    expect(counters.take('a', 3)).toEqual({ first: 1, flags: Flag.start })
    expect(counters.take('a', 1)).toEqual({ first: 4, flags: 0 })
    expect(counters.topOf('a')).toBe(4)
  })

  test('of dropped messages are skipped, and later messages give the reason until a heartbeat does', () => {
    const counters = new Counters()
    counters.take('a', 1)
    counters.drop('a', 5, Flag.droppedByLimit)
    expect(counters.take('a', 1)).toEqual({ first: 7, flags: Flag.droppedByLimit })
    const heartbeat = counters.heartbeat()
    expect(heartbeat.entries).toEqual([{ key: 'a', base: 0, top: 7, flags: Flag.droppedByLimit }])
    // The broker has not taken it yet.
    expect(counters.take('a', 1).flags).toBe(Flag.droppedByLimit)
    counters.taken(heartbeat)
    expect(counters.take('a', 1).flags).toBe(0)
  })

  test('are repeated by the next heartbeat if the broker has not accepted one', () => {
    const counters = new Counters()
    counters.take('a', 2)
    counters.heartbeat()
    counters.mayBeLost('a')
    expect(beat(counters)).toMatchObject({ number: 2, previous: 0, entries: [{ base: 0, top: 2 }] })
    expect(beat(counters)).toMatchObject({ number: 3, previous: 2, entries: [] })
  })

  test('are final after 10 heartbeats without a message, and forgotten 20 later', () => {
    const counters = new Counters()
    counters.take('a', 2)
    const said = Array.from({ length: 32 }, () => beat(counters).entries)
    const where = said.flatMap((entries, index) => entries.map(({ flags }) => [index, flags]))
    expect(where).toEqual([
      [0, 0],
      [9, Flag.final],
    ])
    expect(counters.size).toBe(0)
    expect(counters.take('a', 1)).toEqual({ first: 1, flags: Flag.start })
  })

  test('are not final when a message follows before the broker has accepted the last heartbeat', () => {
    const counters = new Counters()
    counters.take('a', 2)
    for (let count = 0; count < 9; count++) beat(counters)
    const heartbeat = counters.heartbeat()
    expect(heartbeat.entries).toMatchObject([{ flags: Flag.final }])
    counters.take('a', 1)
    counters.taken(heartbeat)
    expect(beat(counters).entries).toEqual([{ key: 'a', base: 2, top: 3, flags: 0 }])
  })
})

describe('250,000 groups', { timeout: 60_000 }, () => {
  test('are the limit: the next group begins a new epoch', () => {
    const counters = new Counters()
    for (let index = 0; index < 250_000; index++) counters.take(String(index), 1)
    expect([counters.size, counters.epoch]).toEqual([250_000, 1])
    expect(counters.take('one more', 1)).toEqual({ first: 1, flags: Flag.start })
    expect([counters.size, counters.epoch]).toEqual([1, 2])
    expect(counters.topOf('0')).toBe(0)
    expect(beat(counters).entries.map(({ key }) => key)).toEqual(['one more'])
  })

  test('leave room without a new epoch if most are final', () => {
    const counters = new Counters()
    for (let index = 0; index < 130_000; index++) counters.take(String(index), 1)
    for (let count = 0; count < 12; count++) beat(counters)
    for (let index = 130_000; index < 250_000; index++) counters.take(String(index), 1)
    const heartbeat = counters.heartbeat()
    counters.take('one more', 1)
    expect([counters.size, counters.epoch]).toEqual([120_001, 1])
    // Entries of groups that were forgotten meanwhile change nothing.
    counters.taken({ ...heartbeat, entries: [{ key: '0', base: 0, top: 1, flags: 0 }] })
    expect(counters.size).toBe(120_001)
  })
})
