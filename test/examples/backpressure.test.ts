import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Example, type ExampleClient } from '../support/example.js'
import { take } from '../support/inbox.js'
import { refused } from '../support/refused.js'

const LINES = 32_000
const line = (number: number): string => String(number).padEnd(1024, '.')

let example: Example
beforeAll(async () => {
  example = await Example.start('backpressure')
})
afterAll(() => example.program.stop())

/** Connects a client that reads nothing until it is resumed, so that its messages are queued at the server. */
async function stalled(path: string, at = example): Promise<ExampleClient> {
  const client = await at.connect(path)
  client.socket.pause()
  return client
}

async function expectWholeArchive({ received, closed }: ExampleClient): Promise<void> {
  const archive = await take(received, LINES)
  expect(archive.findIndex((text, index) => text !== line(index + 1))).toBe(-1)
  expect(await closed).toMatchObject({ code: 1000, wasClean: true })
}

describe('the archive', () => {
  test('arrives complete at a client that reads at once and at one that starts to read after it', async () => {
    const slow = await stalled('/ws/archive')
    await expectWholeArchive(await example.connect('/ws/archive'))
    // Without pausing its source, the server would have terminated it, with more than 1 MiB queued.
    slow.socket.resume()
    await expectWholeArchive(slow)
  })

  test('lets a client close before it has received all lines', async () => {
    const { socket, closed, received } = await example.connect('/ws/archive')
    expect(await received.next()).toBe(line(1))
    socket.close(1000)
    expect((await closed).code).toBe(1000)
  })
})

describe('prices', () => {
  const kilobytes = 'x'.repeat(256 * 1024)

  /** Publishes a price with a number. */
  async function publish(
    publisher: ExampleClient,
    number: number,
  ): Promise<{ delivered: number; skipped: number }> {
    publisher.socket.send(`${number} ${kilobytes}`)
    return JSON.parse((await publisher.received.next()) as string) as { delivered: number; skipped: number }
  }

  const numberOf = (price: unknown): number => Number(String(price).split(' ')[0])

  test('reach a client that reads, and are skipped for one that does not', async () => {
    const publisher = await example.connect('/ws/publish')
    const quick = await example.connect('/ws/prices')
    const slow = await stalled('/ws/prices')
    onTestFinished(() => {
      for (const { socket } of [publisher, quick, slow]) socket.terminate()
    })
    let number = 0
    let result
    do {
      result = await publish(publisher, ++number)
      expect(numberOf(await quick.received.next())).toBe(number)
      // Far more than all buffers on the way can hold.
      expect(number).toBeLessThan(400)
    } while (result.skipped === 0)
    expect(result).toEqual({ delivered: 1, skipped: 1 })

    slow.socket.resume()
    const got = await take(slow.received, number - 1)
    expect(got.map(numberOf)).toEqual(Array.from({ length: number - 1 }, (_, index) => index + 1))
    expect(await publish(publisher, 1000)).toEqual({ delivered: 2, skipped: 0 })
    expect(numberOf(await slow.received.next())).toBe(1000)
  })
})

test('answers a path without a route with 404', async () => {
  expect((await refused(example.port, {}, 'GET /ws/nothing HTTP/1.1')).status).toBe(404)
})

describe('on SIGTERM', () => {
  test('closes its clients with 1001 and exits', async () => {
    const stopping = await Example.forTest('backpressure')
    const paths = ['/ws/prices', '/ws/prices', '/ws/publish']
    await stopping.expectToStop(...(await Promise.all(paths.map((path) => stopping.connect(path)))))
  })

  test('sends a slow client what was already queued before it closes with 1001', async () => {
    const stopping = await Example.forTest('backpressure')
    const quick = await stopping.connect('/ws/prices')
    const slow = await stalled('/ws/archive', stopping)
    const exit = stopping.program.stop('SIGTERM')
    expect((await quick.closed).code).toBe(1001)
    let lines = 0
    slow.socket.on('message', (text) => {
      expect(text).toBe(line(++lines))
    })
    slow.socket.resume()
    expect(await slow.closed).toMatchObject({ code: 1001, wasClean: true })
    expect(lines).toBeLessThan(LINES)
    expect(await exit).toEqual({ code: 0, signal: null })
  })
})
