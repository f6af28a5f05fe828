import { createRequire } from 'node:module'
import { join } from 'node:path'
import { frame } from './batch.js'

/** @typedef {import('./task.js').ConsumerTask} ConsumerTask */

/**
 * @typedef {object} Exchange
 * @property {Buffer} request masked frames in a row
 * @property {Buffer} answer the frames that every receiver gets
 */

/**
 * How the clients of a package talk, in bytes.
 *
 * @typedef {object} Dialect
 * @property {string} path
 * @property {string} [protocol] the subprotocol
 * @property {Step[]} greeting what is said on each connection before the measurement
 * @property {string} [publisherPath] where the sender connects, if it is none of the receivers
 * @property {boolean} isFanOut whether all receive what one sends
 * @property {() => Exchange} next the next batch
 */

/** @typedef {{ send: Buffer[], frames: number }} Step what is sent, and how many frames are awaited then */

const TEXT = 0x81
const BINARY = 0x82

/** @type {Record<ConsumerTask['consumer'], (task: ConsumerTask) => Dialect>} */
export const DIALECTS = {
  'socket.io': ({ fanOut, inFlight, payload }) => {
    const texts = textsOf(inFlight, payload).map((text) => JSON.stringify([fanOut ? 'all' : 'echo', text]))
    const exchange = exchangeOf(texts.map((text) => `42${text}`))
    return {
      path: '/socket.io/?EIO=4&transport=websocket',
      greeting: [
        { send: [], frames: 1 },
        { send: [frame(TEXT, Buffer.from('40'), true)], frames: 1 },
      ],
      isFanOut: fanOut,
      next: () => exchange,
    }
  },

  'graphql-ws': ({ inFlight, payload }) => {
    const texts = textsOf(inFlight, payload)
    const results = texts.map((news) => ({ id: '1', type: 'next', payload: { data: { news } } }))
    const { request } = exchangeOf(texts)
    const { answer } = exchangeOf(results.map((result) => JSON.stringify(result)))
    const messages = [
      { type: 'connection_init' },
      { id: '1', type: 'subscribe', payload: { query: 'subscription { news }' } },
    ]
    const [init, subscribe] = messages.map((message) =>
      frame(TEXT, Buffer.from(JSON.stringify(message)), true),
    )
    return {
      path: '/',
      protocol: 'graphql-transport-ws',
      greeting: [
        { send: init === undefined ? [] : [init], frames: 1 },
        { send: subscribe === undefined ? [] : [subscribe], frames: 0 },
      ],
      publisherPath: '/publish',
      isFanOut: true,
      next: () => ({ request, answer }),
    }
  },

  'y-websocket': ({ inFlight, packages }) => {
    const load = createRequire(join(packages, 'package.json'))
    /** @type {{ Doc: new () => YDocument }} */
    const { Doc } = load('yjs')
    const document = new Doc()
    /** @type {Uint8Array[]} */
    let updates = []
    document.on('update', (update) => updates.push(update))
    const text = document.getText('text')
    return {
      path: '/document',
      // Its first step of synchronization, which needs no answer here.
      greeting: [{ send: [], frames: 1 }],
      isFanOut: true,
      next: () => {
        updates = []
        for (let count = 0; count < inFlight; count++) text.insert(text.length, 'x')
        // A message of synchronization (0) with an update (2) of that many bytes.
        const messages = updates.map((update) => Buffer.concat([Buffer.from([0, 2, update.length]), update]))
        return {
          request: Buffer.concat(messages.map((message) => frame(BINARY, message, true))),
          answer: Buffer.concat(messages.map((message) => frame(BINARY, message, false))),
        }
      },
    }
  },
}

/**
 * @typedef {object} YDocument
 * @property {(event: 'update', listener: (update: Uint8Array) => void) => void} on
 * @property {(name: string) => { length: number, insert(index: number, text: string): void }} getText
 */

/**
 * @param {number} count
 * @param {number} length
 */
function textsOf(count, length) {
  return Array.from({ length: count }, (_, index) => String.fromCharCode(97 + (index % 26)).repeat(length))
}

/** @param {string[]} texts @returns {Exchange} */
function exchangeOf(texts) {
  return {
    request: Buffer.concat(texts.map((text) => frame(TEXT, Buffer.from(text), true))),
    answer: Buffer.concat(texts.map((text) => frame(TEXT, Buffer.from(text), false))),
  }
}
