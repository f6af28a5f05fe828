import { Decoder } from 'hubwire/protocol'
import { prepareBatch } from '../load/client/batch.js'
import { WsReceiver } from './contenders.js'

/** The size of a socket's reads. */
const CHUNK = 64 * 1024

/** @type {import('./subject.js').Subject} */
export const decoding = {
  title: 'Masked frames decoded from chunks of 64 KiB (unmasked, validated, delivered)',
  cases: [true, false].flatMap((binary) =>
    [16, 64, 1024, 16 * 1024].map((payload) => decodingCase(payload, binary)),
  ),
}

/**
 * @param {number} payload
 * @param {boolean} binary
 * @returns {import('./subject.js').Case}
 */
function decodingCase(payload, binary) {
  const times = Math.floor(CHUNK / (payload + 8))
  const { request } = prepareBatch({ payload, inFlight: times, binary, compressed: false })
  const ours = withHubwire(request)
  const theirs = withWs(request)
  for (const decode of [ours, theirs]) {
    if (decode() !== times) throw new Error('not all messages were decoded')
  }
  return {
    name: `${payload} bytes, ${binary ? 'binary' : 'text'}`,
    times,
    contenders: { hubwire: ours, ws: theirs },
  }
}

/**
 * Both get a fresh copy of the bytes, because frames are unmasked in place, and count messages.
 *
 * @param {Buffer} request
 */
function withHubwire(request) {
  let messages = 0
  const ignore = () => {}
  const sink = {
    onMessage: () => {
      messages++
    },
    onPing: ignore,
    onPong: ignore,
    onClose: ignore,
    onProtocolError: (/** @type {Error} */ error) => {
      throw error
    },
  }
  const decoder = new Decoder(sink, { from: 'client' })
  return () => {
    messages = 0
    decoder.push(Buffer.from(request))
    return messages
  }
}

/** @param {Buffer} request */
function withWs(request) {
  let messages = 0
  const receiver = new WsReceiver({ isServer: true })
  receiver.on('message', () => messages++)
  return () => {
    messages = 0
    receiver.write(Buffer.from(request))
    return messages
  }
}
