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
test('at most 8 of a thousand jobs run at once, in their order', () => {
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

test('one that is free takes a job at once', () => {
  const jobs = new Jobs()
  for (const number of upTo(3)) jobs.add(number)
  expect(jobs.running).toEqual([0, 1, 2])
  for (const number of upTo(3)) jobs.end(number)
  jobs.add(3)
  expect(jobs.running).toEqual([3])
  jobs.end(3)
})

test('a job that ends within itself lets the next begin', () => {
  const order: number[] = []
  for (const number of upTo(20)) {
    enqueue((done) => {
      order.push(number)
      done()
    })
  }
  expect(order).toEqual(upTo(20))
})
