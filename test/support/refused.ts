import type { NetConnectOpts } from 'node:net'
import { expect } from 'vitest'
import { exchange, handshakeText, type HttpAnswer } from './http-exchange.js'

/** Expects a complete response: with the length of its body and `Connection: close`. */
export function expectComplete(answer: HttpAnswer): HttpAnswer {
  expect(answer.line).toMatch(/^HTTP\/1\.1 \d{3} [A-Za-z -]+$/)
  expect(answer.fields.get('connection')).toMatch(/^close/)
  expect(answer.fields.get('content-length')).toBe(String(Buffer.byteLength(answer.body)))
  expect(answer.fields.get('content-type')).toBe('text/plain; charset=utf-8')
  expect(answer.body).not.toBe('')
  return answer
}

/** Sends a handshake that the server refuses, and expects a complete response. */
export async function refused(
  where: number | NetConnectOpts,
  fields: Readonly<Record<string, string | undefined>> = {},
  line?: string,
): Promise<HttpAnswer> {
  return expectComplete(await exchange(where, handshakeText(fields, line)))
}
