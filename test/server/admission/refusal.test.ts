import { Refusal, refuse, type RefusalOptions } from 'hubwire'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { writeRefusal } from '#src/server/http1-upgrade.js'
import { readAnswer, type HttpAnswer } from '../../support/http-exchange.js'
import { expectComplete } from '../../support/refused.js'
import { socketPair } from '../../support/socket-pair.js'

async function written(refusal: Refusal): Promise<HttpAnswer> {
  const { here, there } = await socketPair()
  writeRefusal(here, refusal, 30_000)
  return readAnswer(there)
}

test('sends a refusal as a complete response with the phrase of its status', async () => {
  const { line, body } = expectComplete(await written(refuse(401)))
  expect(line).toBe('HTTP/1.1 401 Unauthorized')
  expect(body).toBe('Unauthorized\n')
})

test('replaces default headers, except for those that frame the response', async () => {
  const { fields, body } = await written(
    refuse(403, {
      headers: {
        'content-type': 'application/json',
        'WWW-Authenticate': 'Bearer realm="chat"',
        connection: 'keep-alive',
        'Content-LENGTH': '1',
      },
      body: '{"why":"nön"}',
    }),
  )
  expect([...fields]).toEqual([
    ['connection', 'close'],
    ['content-type', 'application/json'],
    ['content-length', '14'],
    ['www-authenticate', 'Bearer realm="chat"'],
  ])
  expect(body).toBe('{"why":"nön"}')
})

test('sends headers as Latin-1 and the body as UTF-8 (F24)', async () => {
  const { here, there } = await socketPair()
  writeRefusal(here, refuse(403, { headers: { 'X-Name': 'café' }, body: 'café' }), 30_000)
  const chunks: Buffer[] = []
  for await (const chunk of there) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  expect(bytes.includes(Buffer.from('X-Name: café\r\n', 'latin1'))).toBe(true)
  expect(bytes.subarray(-5)).toEqual(Buffer.from('café'))
})

test('destroys the socket of a peer that does not read after closeTimeout (F22)', async () => {
  const { here, there } = await socketPair()
  there.pause()
  const closed = once(here, 'close')
  writeRefusal(here, refuse(403, { body: 'x'.repeat(16 * 1024 * 1024) }), 20)
  await closed
  expect(here.writableFinished).toBe(false)
})

test('sends a phrase for a status without a standard one', async () => {
  const { line, body } = await written(refuse(499))
  expect([line, body]).toEqual(['HTTP/1.1 499 Refused', 'Refused\n'])
})

test('destroys the socket even if the peer keeps its side open', async () => {
  const { here, there } = await socketPair({ allowHalfOpen: true })
  const closed = new Promise((resolve) => here.once('close', resolve))
  there.resume()
  writeRefusal(here, refuse(400), 30_000)
  await closed
  expect(here.destroyed).toBe(true)
})

test('is an error with the contents of its response', () => {
  const options: RefusalOptions = { headers: { 'Retry-After': '1' }, body: 'later' }
  const refusal = refuse(503, options)
  expect(refusal).toBeInstanceOf(Error)
  expect(refusal).toBeInstanceOf(Refusal)
  expect(refusal).toMatchObject({
    name: 'Refusal',
    message: '503 Service Unavailable',
    status: 503,
    headers: { 'Retry-After': '1' },
    body: 'later',
    closeCode: undefined,
    closeReason: '',
  })
  expect(refuse.close(4401, 'who?')).toMatchObject({
    message: '4401 who?',
    status: 101,
    closeCode: 4401,
    closeReason: 'who?',
  })
  expect(refuse.close(4000).closeReason).toBe('')
})

test.each([200, 302, 399, 600, 400.5, NaN])('throws a RangeError for refuse(%d)', (status) => {
  expect(() => refuse(status)).toThrow(
    new RangeError(`The status of a refusal must be an integer from 400 to 599; it is ${status}`),
  )
})

test.each([
  [{ 'X-A': 'a\r\nSet-Cookie: b' }, 'control characters'],
  [{ 'X-A': 'a\0' }, 'control characters'],
  [{ 'X A': 'a' }, '"X A" is not the name of a header field'],
  [{ 'X-A\r\nX-B': 'a' }, 'is not the name of a header field'],
  [{ '': 'a' }, '"" is not the name of a header field'],
  [{ 'Transfer-Encoding': 'chunked' }, 'must not have Transfer-Encoding'],
  [{ 'X-A': '👋' }, 'characters beyond Latin-1'],
])('throws a TypeError for the headers %j (F24)', (headers, message) => {
  expect(() => refuse(401, { headers })).toThrow(TypeError)
  expect(() => refuse(401, { headers })).toThrow(message)
})

test.each([
  [{ headers: { 'X-A': ['a', 'b'] } }, 'The header field X-A must be a string; it is ["a", "b"]'],
  [
    { body: { error: 'none' } },
    'The body of a refusal must be a string; it is an object (Object): use JSON.str',
  ],
])('%j is a TypeError', (options, message) => {
  expect(() => refuse(401, options as never)).toThrow(TypeError)
  expect(() => refuse(401, options as never)).toThrow(message)
})

test('refuse.close() throws for a code that must not be sent and a reason that is too long', () => {
  expect(() => refuse.close(1006)).toThrow(TypeError)
  expect(() => refuse.close(4000, 'x'.repeat(124))).toThrow(RangeError)
})
