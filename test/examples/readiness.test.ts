import { expect, test } from 'vitest'
import { Example } from '../support/example.js'

async function status(example: Example, path: string): Promise<number> {
  const response = await fetch(example.http(path), { headers: { connection: 'close' } })
  await response.text()
  return response.status
}

test('reports ready until SIGTERM and alive while it drains, then exits (N14)', async () => {
  const example = await Example.forTest('readiness', { DRAIN: '3000' })
  const client = await example.connect('/ws')
  expect([await status(example, '/healthz'), await status(example, '/readyz')]).toEqual([200, 200])

  const stopped = example.expectToStop(client)
  await example.program.line(/^Draining$/)
  expect([await status(example, '/healthz'), await status(example, '/readyz')]).toEqual([200, 503])
  // A client that connects before the load balancer has noticed is still served.
  const late = await example.connect('/ws')
  late.socket.send('hello')
  expect(await late.received.next()).toBe('hello')
  await stopped
  expect(await late.closed).toMatchObject({ code: 1001, wasClean: true })
})
