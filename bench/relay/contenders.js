import { join } from 'node:path'

/** Debian's interpreter, which has the packages python3-channels-redis and daphne. */
const PYTHON = '/usr/bin/python3'

/**
 * @typedef {object} Contender
 * @property {string} name as the tables show it
 * @property {string} client the library that speaks to the broker
 * @property {Broker} broker
 * @property {(broker: string, members: number) => string[]} worker the command of a process with stub members
 * @property {(broker: string) => string[]} publisher
 * @property {Site} [site] the same with real clients
 */

/**
 * @typedef {object} Site
 * @property {string} protocol of the clients
 * @property {(broker: string, socket: string) => string[]} worker the command of a process that listens there
 */

const at = (/** @type {string} */ path) => join(import.meta.dirname, path)

/** @typedef {'redis' | 'redis-cluster' | 'nats' | 'primary'} Broker */

/**
 * @param {string} name
 * @param {string} client
 * @param {string} file
 * @param {Site} [site]
 * @param {Broker} [broker]
 * @returns {Contender}
 */
function inNode(name, client, file, site, broker = 'redis') {
  return {
    name,
    client,
    broker,
    worker: (redis, members) => [process.execPath, at('worker.js'), file, redis, String(members)],
    publisher: (redis) => [process.execPath, at('publisher.js'), file, redis],
    ...(site && { site }),
  }
}

/**
 * @param {string} name
 * @param {string} layer
 * @returns {Contender}
 */
function inPython(name, layer) {
  const run = (/** @type {string[]} */ ...args) => [PYTHON, '-B', at('python/layer.py'), ...args]
  return {
    name,
    client: 'redis-py',
    broker: 'redis',
    worker: (redis, members) => run('worker', redis, layer, String(members)),
    publisher: (redis) => run('publisher', redis, layer, '0'),
    site: {
      protocol: 'websocket',
      worker: (redis, socket) => [
        ...['env', `REDIS=${redis}`, `LAYER=${layer}`, `PYTHONPATH=${at('python')}`],
        ...[PYTHON, '-B', '-m', 'daphne', '-v', '0', '-u', socket, 'site_of_members:application'],
      ],
    },
  }
}

/**
 * @param {string} relay
 * @returns {Site}
 */
const hubwireSite = (relay) => ({
  protocol: 'websocket',
  worker: (broker, socket) => [process.execPath, at('peers/server.js'), relay, broker, socket],
})

/** @type {Site} */
const socketIoSite = {
  protocol: 'socket.io',
  worker: (redis, socket) => [process.execPath, at('socket-io/server.js'), redis, socket],
}

/** @type {readonly Contender[]} */
export const CONTENDERS = [
  inNode('hubwire', 'redis', 'peers/hubwire-redis', hubwireSite('redis')),
  inNode('hubwire, ioredis', 'ioredis', 'peers/hubwire-ioredis'),
  inNode('hubwire, Redis Cluster', 'redis', 'peers/hubwire-redis-cluster', undefined, 'redis-cluster'),
  inNode('hubwire, NATS', '@nats-io/transport-node', 'peers/hubwire-nats', hubwireSite('nats'), 'nats'),
  inNode('hubwire, node:cluster', 'none', 'peers/hubwire-cluster', undefined, 'primary'),
  inNode('Socket.IO, redis-adapter', 'redis', 'socket-io/classic', socketIoSite),
  inNode('Socket.IO, redis-adapter sharded', 'redis', 'socket-io/sharded'),
  inNode('Socket.IO, redis-streams-adapter', 'redis', 'socket-io/streams'),
  inPython('channels_redis', 'core'),
  inPython('channels_redis pub/sub', 'pubsub'),
]
