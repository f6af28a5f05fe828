import { connect } from 'hubwire'
import { expect, test } from 'vitest'
import { isAllowedOrigin, type Origins } from '#src/server/admission/origins.js'
import { openAsClient } from '../../support/raw-handshake.js'
import { refused } from '../../support/refused.js'
import { requestWith } from '../../support/request.js'
import { runningServer } from '../../support/running-server.js'

test.each<[Origins, origin: string | undefined, host: string | undefined, allowed: boolean]>([
  ['same-origin', undefined, 'a.example', true],
  ['same-origin', 'https://a.example', 'a.example', true],
  ['same-origin', 'http://a.example', 'a.example', true],
  ['same-origin', 'https://a.example', 'a.example:443', true],
  ['same-origin', 'http://a.example', 'A.example:80', true],
  ['same-origin', 'http://a.example:8000', 'a.example:8000', true],
  ['same-origin', 'http://a.example:8000', 'a.example:8001', false],
  ['same-origin', 'http://a.example:8000', 'a.example', false],
  ['same-origin', 'https://b.a.example', 'a.example', false],
  ['same-origin', 'https://a.example.evil.example', 'a.example', false],
  ['same-origin', 'null', 'a.example', false],
  ['same-origin', 'file://', '', false],
  ['same-origin', '', 'a.example', false],
  ['same-origin', 'https://a.example', undefined, false],
  ['same-origin', 'https://a.example', 'not a host', false],
  ['*', 'https://evil.example', 'a.example', true],
  [['https://a.example'], 'https://a.example', 'other', true],
  [['https://a.example'], 'http://a.example', 'other', false],
  [['https://a.example'], 'https://a.example.evil.example', 'other', false],
  [['https://a.example'], undefined, 'other', true],
  [['https://x.example', /^https:\/\/\w+\.a\.example$/], 'https://b.a.example', 'other', true],
  [[/^https:\/\/\w+\.a\.example$/], 'https://evil.example', 'other', false],
  [[], 'https://a.example', 'a.example', false],
  [(origin) => origin === 'https://a.example', 'https://a.example', 'other', true],
  [(origin) => origin === 'https://a.example', 'https://b.example', 'other', false],
  [() => false, undefined, 'other', true],
])('applies origins: %j to the origin %j at the host %j: %s', (origins, origin, host, allowed) => {
  const request = requestWith({ headers: origin === undefined ? {} : { origin } })
  expect(isAllowedOrigin(origins, request, host)).toBe(allowed)
})

test.each(['g', 'y'])('matches a pattern with the flag %s each time', (flags) => {
  const origins = [new RegExp('https://a.example', flags)]
  const request = requestWith({ headers: { origin: 'https://a.example' } })
  for (let time = 0; time < 3; time++) expect(isAllowedOrigin(origins, request, undefined)).toBe(true)
})

test('accepts only its own origin by default, and says how to change that', async () => {
  const { port } = await runningServer()
  await openAsClient(port, { Origin: `http://127.0.0.1:${port}` })
  await openAsClient(port)
  const { status, body } = await refused(port, { Origin: 'https://evil.example' })
  expect(status).toBe(403)
  expect(body).toBe(
    `The origin "https://evil.example" may not connect to "127.0.0.1". ` +
      "To allow it, the server needs the option origins: ['https://its.example'], or '*' for all\n",
  )
})

test('accepts an asynchronous function', async () => {
  const asked: [string, string | undefined][] = []
  const { port, url } = await runningServer({
    origins: async (origin, request) => {
      asked.push([origin, request.url])
      return Promise.resolve(origin.endsWith('.good.example'))
    },
  })
  const client = await connect(`${url}/x`, { origin: 'https://a.good.example' })
  expect(client.readyState).toBe(1)
  expect(await refused(port, { Origin: 'https://evil.example' })).toMatchObject({ status: 403 })
  expect(asked).toEqual([
    ['https://a.good.example', '/x'],
    ['https://evil.example', '/'],
  ])
})

test.each([
  ['throws', (): boolean => raise()],
  ['rejects', (): Promise<boolean> => Promise.reject(new Error('broken'))],
])("answers with 500 and emits 'error' if a function %s", async (_name, origins) => {
  const { server, port } = await runningServer({ origins })
  const errors: string[] = []
  server.on('error', (error) => errors.push(error.message))
  expect(await refused(port, { Origin: 'https://a.example' })).toMatchObject({ status: 500 })
  expect(errors).toEqual(['broken'])
})

function raise(): never {
  throw new Error('broken')
}
