// Functions of the peers: those of ws are in its lib/, which the package does not export.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { directoryOf } from '../load/peers.js'

// ws reads it when it is loaded: it is measured without bufferutil, which is measured separately.
process.env.WS_NO_BUFFER_UTIL = '1'

const require = createRequire(import.meta.url)

/**
 * @typedef {object} WsSender
 * @property {(data: Buffer, options: { fin: boolean, opcode: number, mask: boolean }) => Buffer[]} frame
 */

/** @typedef {import('node:stream').Writable & { _isServer: boolean }} WsReceiver */

/**
 * @typedef {object} WsDeflate
 * @property {(offers: object[]) => void} accept
 * @property {(data: Buffer, fin: boolean, done: (error: Error | null, result: Buffer) => void) => void} compress
 * @property {(data: Buffer, fin: boolean, done: (error: Error | null, result: Buffer) => void) => void} decompress
 */

/** @typedef {(bytes: Buffer, key: Buffer) => void} Unmask */

export const wsSender = /** @type {WsSender} */ (load('ws', 'lib/sender.js'))

export const WsReceiver = /** @type {new (options: object) => WsReceiver} */ (load('ws', 'lib/receiver.js'))

export const WsDeflate = /** @type {new (options: object) => WsDeflate} */ (
  load('ws', 'lib/permessage-deflate.js')
)

export const { unmask: wsUnmask } = /** @type {{ unmask: Unmask }} */ (load('ws', 'lib/buffer-util.js'))

export const { isValidUTF8: wsIsValidUtf8 } = /** @type {{ isValidUTF8: (bytes: Buffer) => boolean }} */ (
  load('ws', 'lib/validation.js')
)

export const { unmask: bufferutilUnmask } = /** @type {{ unmask: Unmask }} */ (load('bufferutil', 'index.js'))

/**
 * @param {string} name
 * @param {string} file
 * @returns {unknown}
 */
function load(name, file) {
  return require(join(directoryOf(name) ?? '', file))
}
