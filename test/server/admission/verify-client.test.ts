import type { ClientInfo, VerifyClient } from 'hubwire'
import { expect, test } from 'vitest'
import { openAsClient } from '../../support/raw-handshake.js'
import { refused } from '../../support/refused.js'
import { runningServer } from '../../support/running-server.js'
import { uncaught } from '../../support/uncaught.js'

test('calls verifyClient with the origin, whether TLS was used, and the request', async () => {
  const seen: ClientInfo[] = []
  const { port } = await runningServer({ origins: '*', verifyClient: (info) => seen.push(info) > 0 })
  await openAsClient(port, { Origin: 'https://a.example' }, '/first')
  await openAsClient(port)
  expect(seen.map(({ origin, secure, req }) => [origin, secure, req.url])).toEqual([
    ['https://a.example', false, '/first'],
    ['', false, '/'],
  ])
})

test('reports TLS that a trusted proxy terminated to verifyClient', async () => {
  const seen: boolean[] = []
  const { port } = await runningServer({
    trustProxy: 1,
    verifyClient: ({ secure }) => seen.push(secure) > 0,
  })
  await openAsClient(port, { 'X-Forwarded-Proto': 'https' })
  expect(seen).toEqual([true])
})

test.each<[string, VerifyClient]>([
  ['false', () => false],
  // A promise is truthy, but a promise of false must not accept everybody.
  ['a promise of false', () => Promise.resolve(false)],
  ['nothing', () => {}],
])('refuses with 401 if verifyClient returns %s', async (_name, verifyClient) => {
  const { port } = await runningServer({ verifyClient })
  expect(await refused(port)).toMatchObject({ status: 401, body: 'Unauthorized\n' })
})

test('accepts if verifyClient resolves to true', async () => {
  const { port } = await runningServer({ verifyClient: () => Promise.resolve(true) })
  const { response } = await openAsClient(port)
  expect(response.line).toBe('HTTP/1.1 101 Switching Protocols')
})

test('accepts if verifyClient calls back with true', async () => {
  const { port } = await runningServer({
    verifyClient: (_info, callback) => {
      setImmediate(callback, true)
    },
  })
  const { response } = await openAsClient(port)
  expect(response.line).toBe('HTTP/1.1 101 Switching Protocols')
})

test('refuses with the status, body and headers of the callback', async () => {
  const { port } = await runningServer({
    verifyClient: ({ req }, callback) => {
      if (req.url === '/plain') callback(false)
      else if (req.url === '/status') callback(false, 403)
      else callback(false, 429, 'Slowly!', { 'Retry-After': '9' })
    },
  })
  expect(await refused(port, {}, 'GET /plain HTTP/1.1')).toMatchObject({
    status: 401,
    body: 'Unauthorized\n',
  })
  expect(await refused(port, {}, 'GET /status HTTP/1.1')).toMatchObject({ status: 403, body: 'Forbidden\n' })
  const { status, body, fields } = await refused(port)
  expect([status, body, fields.get('retry-after')]).toEqual([429, 'Slowly!', '9'])
})

test.each<[string, VerifyClient]>([
  [
    'throws',
    () => {
      throw new Error('no')
    },
  ],
  ['rejects', () => Promise.reject(new Error('no'))],
  ['rejects instead of calling back', (_info, _callback) => Promise.reject(new Error('no'))],
  [
    'throws instead of calling back',
    (_info, _callback) => {
      throw new Error('no')
    },
  ],
  [
    'answers with a header that contains a line break',
    (_info, callback) => {
      setImmediate(callback, false, 401, 'no', { 'X-Name': 'a\r\nSet-Cookie: b' })
    },
  ],
  [
    'answers with a status that is no refusal',
    (_info, callback) => {
      setImmediate(callback, false, 200)
    },
  ],
])("answers with 500 and emits 'error' if verifyClient %s", async (_name, verifyClient) => {
  const lost = uncaught()
  const { server, port } = await runningServer({ verifyClient })
  const errors: Error[] = []
  server.on('error', (error) => errors.push(error))
  const { status, fields } = await refused(port)
  expect([status, fields.has('set-cookie')]).toEqual([500, false])
  expect(errors).toHaveLength(1)
  expect(lost).toEqual([])
})
