import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import { deflateRawSync } from 'node:zlib'
import { MessageDeflater, MessageInflater } from 'hubwire/protocol'
import { expect, test } from 'vitest'
import { enqueue } from '#src/protocol/zlib-pool.js'

/** Jobs that end when they are told to. */
class Jobs {
  readonly started: number[] = []
  readonly #ends = new Map<number, () => void>()

  add(number: number): void {
    enqueue((done) => {
      this.started.push(number)
      this.#ends.set(number, done)
    })
  }

  get running(): number[] {
    return [...this.#ends.keys()]
  }

  end(number: number): void {
    const end = this.#ends.get(number)!
    this.#ends.delete(number)
    end()
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

// Fault: ws #1202. Thousands of deflates at once grew the process.
test('runs 1,000 jobs in order, at most 8 at once', () => {
  const jobs = new Jobs()
  for (const number of upTo(1000)) jobs.add(number)
  expect(jobs.running).toEqual(upTo(8))
  let most = 0
  while (jobs.running.length > 0) {
    most = Math.max(most, jobs.running.length)
    // The one that started last ends first: what waits takes its place in order all the same.
    jobs.end(jobs.running.at(-1)!)
  }
  expect(most).toBe(8)
  expect(jobs.started).toEqual(upTo(1000))
})

test('runs a job at once if fewer than 8 are running', () => {
  const jobs = new Jobs()
  for (const number of upTo(3)) jobs.add(number)
  expect(jobs.running).toEqual([0, 1, 2])
  for (const number of upTo(3)) jobs.end(number)
  jobs.add(3)
  expect(jobs.running).toEqual([3])
  jobs.end(3)
})

test('starts the next job when one ends synchronously', () => {
  const order: number[] = []
  for (const number of upTo(20)) {
    enqueue((done) => {
      order.push(number)
      done()
    })
  }
  expect(order).toEqual(upTo(20))
})

test('runs each job in the async context that it was enqueued in (F12)', async () => {
  const user = new AsyncLocalStorage<number>()
  const started: unknown[] = []
  const ends: (() => void)[] = []
  for (const number of upTo(20)) {
    user.run(number, () => {
      enqueue((done) => {
        started.push(user.getStore())
        ends.push(done)
      })
    })
  }
  for (let end = ends.shift(); end !== undefined; end = ends.shift()) {
    await setImmediate()
    end()
  }
  expect(started).toEqual(upTo(20))
})

test('calls back in the async context of the message that was inflated or deflated (F12)', async () => {
  const user = new AsyncLocalStorage<number>()
  const payload = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * index) & 0xff))
  const compressed = deflateRawSync(payload)
  const inflating = upTo(30).map((number) =>
    user.run(number, () => {
      const inflater = new MessageInflater({ windowBits: 15, contextTakeover: false })
      return new Promise((resolve) => {
        inflater.inflate(compressed, 1_000_000, () => {
          resolve(user.getStore())
        })
      })
    }),
  )
  const settings = { windowBits: 15, contextTakeover: false, threshold: 0, level: 1, memLevel: 8 }
  const deflating = upTo(30).map((number) =>
    user.run(number, () => {
      const deflater = new MessageDeflater(settings)
      return new Promise((resolve) => {
        deflater.deflateLater(payload, true, () => {
          resolve(user.getStore())
        })
      })
    }),
  )
  expect(await Promise.all(inflating)).toEqual(upTo(30))
  expect(await Promise.all(deflating)).toEqual(upTo(30))
})
