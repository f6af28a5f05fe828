// Reads a frame that breaks the protocol: run with `node --frozen-intrinsics`, where a write to a global object throws.
import { Decoder } from 'hubwire/protocol'

/** @param {unknown[]} found */
const say = (...found) => process.stdout.write(`${JSON.stringify(found)}\n`)

const decoder = new Decoder(
  {
    onMessage: (data) => say('message', data),
    onPing: () => say('ping'),
    onPong: () => say('pong'),
    onClose: (code) => say('close', code),
    onProtocolError: (error) => say(error.name, error.code, error.message),
  },
  { from: 'client' },
)
decoder.push(Buffer.of(0xff, 0x80))
