import websocket, { type connection as Connection } from 'websocket'
import { Queue } from '../support/queue.js'
import type { Close, PeerClient, PeerConnection } from './peer.js'

/** The npm package `websocket` (WebSocket-Node). It supports no extension, and fragments every message above 16 KiB. */
export function websocketClient(): PeerClient {
  return {
    abilities: new Set(['fragments', 'ping']),
    closeAnswer: 1000,
    open: (url, protocols) =>
      new Promise((resolve, reject) => {
        const client = new websocket.client({
          maxReceivedFrameSize: 4 * 1024 * 1024,
          maxReceivedMessageSize: 4 * 1024 * 1024,
        })
        client.on('connectFailed', reject)
        client.on('connect', (connection) => {
          resolve(listenTo(connection))
        })
        client.connect(url, [...protocols])
      }),
  }
}

function listenTo(connection: Connection): PeerConnection {
  const messages = new Queue<string | Buffer>()
  connection.on('message', (message) => {
    messages.push(message.type === 'utf8' ? message.utf8Data : message.binaryData)
  })
  const closed = new Promise<Close>((resolve) => {
    connection.on('close', (code, reason) => {
      resolve({ code, reason })
    })
  })
  return {
    protocol: connection.protocol,
    extensions: '',
    closed,
    send(message) {
      connection.send(message)
    },
    sendFragments(fragments) {
      // It can only split a message into pieces of equal size: 3 bytes here, which splits characters.
      connection.config.fragmentationThreshold = 3
      connection.sendUTF(Buffer.concat(fragments).toString())
    },
    ping: (payload) =>
      new Promise((resolve) => {
        connection.on('pong', (pong) => {
          resolve(pong.toString())
        })
        connection.ping(payload)
      }),
    nextMessage: () => messages.next(),
    close(code, reason) {
      connection.close(code, reason)
    },
  }
}
