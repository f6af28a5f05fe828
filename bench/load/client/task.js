import { parseJson } from '../../json.js'

/**
 * What the load client does: a JSON object, its only argument.
 *
 * @typedef {MessageTask | ConnectionTask | PacedTask | DelayTask | StormTask | ConsumerTask} Task
 */

/**
 * @typedef {object} MessageTask
 * @property {'echo' | 'fan-out'} kind
 * @property {number} port the server's
 * @property {number} pid the server's
 * @property {number} connections
 * @property {number} payload bytes
 * @property {number} inFlight messages of one connection that are sent in one write
 * @property {boolean} binary
 * @property {boolean} compressed
 * @property {boolean} [secure] over `wss:`
 * @property {boolean} [everyone] fan-out: whether every member publishes
 * @property {boolean} [textAsBytes] whether the server's listener gets text as a Buffer, as that of ws always does
 * @property {number} warmUp seconds
 * @property {number} seconds
 */

/**
 * Single messages at a steady rate, whether or not they are answered in time.
 *
 * @typedef {object} PacedTask
 * @property {'paced'} kind
 * @property {number} port
 * @property {number} pid
 * @property {number} connections
 * @property {number} payload bytes
 * @property {number} perSecond messages on all connections together
 * @property {number} warmUp seconds
 * @property {number} seconds
 */

/**
 * A load under which the delay of the server's event loop is measured.
 *
 * @typedef {object} DelayTask
 * @property {'churn' | 'flood' | 'stream'} kind
 * @property {number} port
 * @property {number} pid
 * @property {number} connections
 * @property {import('./batch.js').BatchShape} batch what each connection sends
 * @property {number} seconds
 */

/**
 * One half of a reconnect storm: the members of a group, one of which publishes to it, or the clients that reconnect.
 *
 * @typedef {object} StormTask
 * @property {'publish' | 'reconnect'} kind
 * @property {number} port
 * @property {number} connections
 * @property {import('./batch.js').BatchShape} batch publish: the message
 */

/**
 * @typedef {object} ConnectionTask
 * @property {'handshakes' | 'idle'} kind
 * @property {number} port
 * @property {number} pid
 * @property {number} connections
 * @property {boolean} [secure] over `wss:`
 * @property {boolean} [authenticated] handshakes: the server waits for an asynchronous check
 * @property {import('./batch.js').BatchShape} [batch] idle: what each connection sends and gets back before it is idle
 */

/**
 * The clients of a package that was written for ws.
 *
 * @typedef {object} ConsumerTask
 * @property {'consumer'} kind
 * @property {number} port
 * @property {number} pid
 * @property {'socket.io' | 'graphql-ws' | 'y-websocket'} consumer
 * @property {string} packages the folder that it is installed in
 * @property {number} connections
 * @property {boolean} fanOut whether all receive what one sends
 * @property {number} inFlight
 * @property {number} payload bytes; y-websocket sends insertions of one character
 * @property {number} warmUp seconds
 * @property {number} seconds
 */

/**
 * @param {string | undefined} argument
 * @returns {Task}
 */
export function parseTask(argument) {
  if (argument === undefined) throw new Error('usage: node main.js TASK (a JSON object, see task.js)')
  return /** @type {Task} */ (parseJson(argument))
}
