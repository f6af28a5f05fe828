import { ConnectError, connect, HandshakeError, refuse, WebSocket } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { failedAttempt } from '../support/failed-attempt.js'
import { runningServer } from '../support/running-server.js'
import { scriptedServer } from '../support/scripted-server.js'

/** The error of an attempt at a server that answers with these bytes and, if asked to, leaves the connection open. */
async function refusedBy(answer: string, isOpen = false, options = {}): Promise<HandshakeError> {
  const { url } = await scriptedServer((_request, socket) => {
    if (isOpen) socket.write(answer)
    else socket.end(answer)
  })
  const error = await failedAttempt(new WebSocket(url, options))
  if (!(error instanceof HandshakeError)) throw error
  return error
}

function answerWith(body: string, type = 'text/plain', status = '403 Forbidden'): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

test('shows the refusal of a hubwire server as it was written (N6)', async () => {
  const { url } = await runningServer({
    authenticate: () =>
      refuse(401, { headers: { 'WWW-Authenticate': 'Bearer' }, body: 'A token is missing\n' }),
  })
  const error = await failedAttempt(new WebSocket(url))
  expect(error.message).toBe('401 Unauthorized: A token is missing')
  expect(error).toMatchObject({
    status: 401,
    code: 'WS_ERR_HANDSHAKE_REFUSED',
    headers: { 'www-authenticate': 'Bearer', 'content-type': 'text/plain; charset=utf-8' },
    body: 'A token is missing\n',
  })
  await expect(connect(url)).rejects.toThrow('401 Unauthorized: A token is missing')
})

describe('the message of a refusal (N6)', () => {
  test.each([
    ['a short text', answerWith('No  entry\r\n\u001b[31m today\n'), '403 Forbidden: No entry [31m today'],
    ['JSON', answerWith('{"why":"no"}', 'application/problem+json'), '403 Forbidden: {"why":"no"}'],
    ['a body of no type', 'HTTP/1.1 403 Forbidden\r\n\r\nno', '403 Forbidden: no'],
    ['a status of a server of its own', answerWith('no', 'text/plain', '599 Odd'), '599 Odd: no'],
  ])('shows %s', async (_name, answer, message) => {
    expect((await refusedBy(answer)).message).toBe(message)
  })

  test.each([
    ['that is the phrase', answerWith('Forbidden\n')],
    ['of HTML', answerWith('<h1>no</h1>', 'text/html')],
    ['of more than 200 characters', answerWith('x'.repeat(201))],
    ['that is compressed', 'HTTP/1.1 403 Forbidden\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno'],
    ['of no bytes', answerWith('')],
  ])('shows no body %s', async (_name, answer) => {
    expect((await refusedBy(answer)).message).toBe('403 Forbidden')
  })

  test('says that a status without a phrase is unexpected (N6)', async () => {
    expect((await refusedBy('HTTP/1.1 403 \r\nContent-Length: 0\r\n\r\n')).message).toBe(
      'Unexpected server response: 403',
    )
  })
})

describe('the body of a refusal (N6)', () => {
  test('is read up to 4 KiB, from a peer that never ends it', async () => {
    const error = await refusedBy(`HTTP/1.1 502 Bad Gateway\r\n\r\n${'y'.repeat(5000)}`, true)
    expect([error.message, error.body]).toEqual(['502 Bad Gateway', 'y'.repeat(4096)])
  })

  test('ends before a character that the limit cuts', async () => {
    const error = await refusedBy(answerWith(`${'y'.repeat(4095)}é`))
    expect(error.body).toBe('y'.repeat(4095))
  })

  test('is the part that arrived if the peer sends no more', async () => {
    const answer = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\npart'
    expect((await refusedBy(answer, true)).message).toBe('503 Service Unavailable: part')
    expect((await refusedBy(answer)).body).toBe('part')
  })

  test('is the part that arrived when the handshake times out', async () => {
    const answer = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\npart'
    const error = await refusedBy(answer, true, { handshakeTimeout: 500 })
    expect(error).toMatchObject({ status: 503, body: 'part' })
  })

  test('is not awaited if the attempt is aborted', async () => {
    const { url } = await scriptedServer((_request, socket) => {
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\npart')
      setImmediate(() => client.terminate())
    })
    const client = new WebSocket(url)
    expect(await failedAttempt(client)).toMatchObject({ code: 'WS_ERR_ABORTED' })
  })
})

test.each<[string, string, string | undefined]>([
  ['not to be followed', 'ws+unix:/tmp/x:/', 'WS_ERR_REDIRECT_REFUSED'],
  ['with an invalid URL', 'ftp://example.com/', 'WS_ERR_INVALID_REDIRECT'],
  ['beyond maxRedirects', '/again', 'WS_ERR_TOO_MANY_REDIRECTS'],
])('reports status, headers and body of a redirect %s (N6)', async (_name, location, code) => {
  const { url } = await scriptedServer((_request, socket) => {
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 5\r\n\r\nthere`)
  })
  const error = await failedAttempt(new WebSocket(url, { followRedirects: true, maxRedirects: 1 }))
  expect(error).toBeInstanceOf(ConnectError)
  expect(error).toMatchObject({ code, status: 302, headers: { location }, body: 'there' })
})

test('reports a redirect that is not followed as a refusal with its Location (N6)', async () => {
  const error = await refusedBy('HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n')
  expect(error).toMatchObject({
    message: 'Unexpected server response: 302 Found',
    status: 302,
    headers: { location: '/there' },
  })
})
