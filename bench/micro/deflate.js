import { MessageDeflater, MessageInflater } from 'hubwire/protocol'
import { jsonOf } from '../load/client/batch.js'
import { WsDeflate } from './contenders.js'

/** @typedef {(data: Buffer, fin: boolean, done: (error: Error | null, result: Buffer) => void) => void} Transform */

const SETTINGS = { windowBits: 15, contextTakeover: false, threshold: 0, level: -1, memLevel: 8 }
const LIMIT = 1024 * 1024

const deflater = new MessageDeflater(SETTINGS)
const inflater = new MessageInflater(SETTINGS)
const extension = new WsDeflate({ isServer: true, threshold: 0, maxPayload: LIMIT })
extension.accept([{ server_no_context_takeover: [true], client_no_context_takeover: [true] }])

/** @type {Record<'deflate' | 'inflate', Record<'hubwire' | 'ws', Transform>>} */
const TRANSFORMS = {
  deflate: {
    // As a connection does for messages of up to 64 KiB.
    hubwire: (data, fin, done) => done(null, deflater.deflateNow(data, fin)),
    ws: (data, fin, done) => extension.compress(data, fin, done),
  },
  inflate: {
    hubwire: (data, _fin, done) =>
      inflater.inflate(data, LIMIT, (result) => {
        if (Buffer.isBuffer(result)) done(null, result)
        else throw result
      }),
    ws: (data, fin, done) => extension.decompress(data, fin, done),
  },
}

/** @returns {Promise<import('./subject.js').Subject>} */
export async function deflating() {
  const cases = []
  for (const length of [1024, 16 * 1024]) {
    const json = jsonOf(length)
    const compressed = await promised(TRANSFORMS.deflate.ws, json)()
    cases.push(caseOf(`deflate ${length} bytes`, TRANSFORMS.deflate, json))
    cases.push(caseOf(`inflate to ${length} bytes`, TRANSFORMS.inflate, compressed))
  }
  return { title: 'permessage-deflate of JSON, no context takeover', cases }
}

/**
 * @param {string} name
 * @param {Record<'hubwire' | 'ws', Transform>} transforms
 * @param {Buffer} data
 */
function caseOf(name, transforms, data) {
  const contenders = { hubwire: promised(transforms.hubwire, data), ws: promised(transforms.ws, data) }
  return { name, times: 1, asynchronous: true, contenders }
}

/**
 * @param {Transform} transform
 * @param {Buffer} data
 */
function promised(transform, data) {
  return () =>
    new Promise((/** @type {(result: Buffer) => void} */ resolve, reject) => {
      transform(data, true, (error, result) => {
        if (error) reject(error)
        else resolve(result)
      })
    })
}
