import { fileURLToPath } from 'node:url'
import { constants, deflateRawSync } from 'node:zlib'
import { MessageInflater, ProtocolError } from 'hubwire/protocol'
import { describe, expect, test } from 'vitest'
import { heldBytes, isCollected } from '../support/garbage-collection.js'
import { Program } from '../support/program.js'

const MEBIBYTE = 1024 * 1024

describe('a ProtocolError', () => {
  test('is an Error with a code, a close code and a name of its own', () => {
    const error = new ProtocolError('WS_ERR_INVALID_UTF8', 1007, 'The text is not valid UTF-8')
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ code: 'WS_ERR_INVALID_UTF8', closeCode: 1007 })
    expect(String(error)).toBe('ProtocolError: The text is not valid UTF-8')
    expect(error.stack?.split('\n')[0]).toBe('ProtocolError: The text is not valid UTF-8')
  })

  test('can be created where intrinsic objects are frozen (F3)', async () => {
    const script = fileURLToPath(new URL('malformed-frame.js', import.meta.url))
    const program = new Program(process.execPath, ['--no-warnings', '--frozen-intrinsics', script])
    expect(await program.exit).toEqual({ code: 0, signal: null })
    expect(program.lines).toEqual([
      '["ProtocolError","WS_ERR_UNEXPECTED_RSV_2_3","RSV2 and RSV3 must be clear (RFC 6455 section 5)"]',
    ])
  })

  // The frames of a stack trace that nobody has read refer to the objects that the functions were called on.
  test('does not keep alive the scope that created it', async () => {
    class Engine {
      readonly memory = new Uint8Array(1000)
      fail(): ProtocolError {
        return new ProtocolError('WS_ERR_INVALID_DEFLATE_DATA', 1007, 'The message cannot be inflated')
      }
    }
    const fail = (): [WeakRef<Engine>, ProtocolError] => {
      const engine = new Engine()
      return [new WeakRef(engine), engine.fail()]
    }
    const [engine, error] = fail()
    expect(await isCollected(engine)).toBe(true)
    expect(error.code).toBe('WS_ERR_INVALID_DEFLATE_DATA')
  })
})

// zlib's engine holds all that it has inflated.
test('does not keep inflated data alive, over many compression bombs', async () => {
  const bomb = deflateRawSync(Buffer.alloc(40 * MEBIBYTE), { finishFlush: constants.Z_SYNC_FLUSH })
  const errors: (Buffer | ProtocolError)[] = []
  const before = await heldBytes()
  for (let count = 0; count < 20; count++) {
    const inflater = new MessageInflater({ windowBits: 15, contextTakeover: false })
    errors.push(await new Promise((resolve) => inflater.inflate(bomb, MEBIBYTE, resolve)))
  }
  expect((await heldBytes()) - before).toBeLessThan(4 * MEBIBYTE)
  for (const error of errors) expect(error).toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
})
