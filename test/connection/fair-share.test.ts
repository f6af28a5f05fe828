import { describe, expect, test } from 'vitest'
import { spend, takeShare, waitForShare } from '#src/connection/fair-share.js'
import { turn } from '../support/event-loop.js'

const MEBI = 1024 * 1024

/** A connection with more to read than it may read in a turn. */
class Flooder {
  readonly shares: number[] = []
  readonly #log: Flooder[]
  left: number

  constructor(log: Flooder[], left: number) {
    this.#log = log
    this.left = left
  }

  readShare(): void {
    const share = takeShare()
    this.#log.push(this)
    this.shares.push(share)
    this.left -= share
    spend(share)
    if (this.left > 0) waitForShare(this)
  }
}

describe('the shares of work of a turn', () => {
  test('are 1 MiB for each of 64 connections, and 64 KiB for each further one', async () => {
    const flooders = Array.from({ length: 100 }, () => new Flooder([], MEBI))
    for (const flooder of flooders) flooder.readShare()
    expect(flooders.map(({ shares }) => shares[0])).toEqual([
      ...Array<number>(64).fill(MEBI),
      ...Array<number>(36).fill(MEBI / 16),
    ])
    while (flooders.some(({ left }) => left > 0)) await turn()
  })

  test('are given in turn: nobody gets a second one before everybody has had the first', async () => {
    const log: Flooder[] = []
    const flooders = Array.from({ length: 100 }, () => new Flooder(log, 4 * MEBI))
    for (const flooder of flooders) waitForShare(flooder)
    let before = 0
    while (flooders.some(({ left }) => left > 0)) {
      await turn()
      // A turn passes out 64 shares at most.
      expect(log.length - before).toBeLessThanOrEqual(64)
      before = log.length
    }
    const indices = log.map((flooder) => flooders.indexOf(flooder))
    expect(indices).toEqual(Array.from({ length: 400 }, (_, index) => index % 100))
  })
})
