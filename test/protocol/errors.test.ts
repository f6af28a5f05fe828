import { ProtocolError } from 'hubwire/protocol'
import { expect, test } from 'vitest'

// Frames of a stack trace that nobody has read keep zlib's engine alive, and in it all that a bomb had inflated.
test('a ProtocolError bears no stack trace, and other errors still do', () => {
  const { stackTraceLimit } = Error
  const error = new ProtocolError('WS_ERR_INVALID_UTF8', 1007, 'The text is not valid UTF-8')
  expect(error.stack).not.toContain('\n    at ')
  expect(Error.stackTraceLimit).toBe(stackTraceLimit)
  expect(new Error('another').stack).toContain('\n    at ')
})

test('a ProtocolError is an Error with a code, a close code and a name of its own', () => {
  const error = new ProtocolError('WS_ERR_INVALID_UTF8', 1007, 'The text is not valid UTF-8')
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ code: 'WS_ERR_INVALID_UTF8', closeCode: 1007 })
  expect(String(error)).toBe('ProtocolError: The text is not valid UTF-8')
})
