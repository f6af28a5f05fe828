import { ProtocolError } from 'hubwire/protocol'
import { expect, test } from 'vitest'

test('a ProtocolError is an Error with a code, a close code and a name of its own', () => {
  const error = new ProtocolError('WS_ERR_INVALID_UTF8', 1007, 'The text is not valid UTF-8')
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ code: 'WS_ERR_INVALID_UTF8', closeCode: 1007 })
  expect(String(error)).toBe('ProtocolError: The text is not valid UTF-8')
})
