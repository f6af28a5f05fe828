import { once } from 'node:events'
import { connect } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { settled, turn } from '../support/event-loop.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { runningServer } from '../support/running-server.js'

/** All that a loop over the socket gets. */
async function collect(socket: AsyncIterable<unknown>): Promise<unknown[]> {
  const received: unknown[] = []
  for await (const data of socket) received.push(data)
  return received
}

const text = (payload: string): Buffer => clientFrame({ opcode: opcode.text, payload })

describe('a for await loop', () => {
  test('loses no message after a break (F47)', async () => {
    const running = await runningServer()
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    peer.write(Buffer.concat(['a', 'b', 'c', 'd', 'e'].map(text)))
    const looped: unknown[] = []
    for await (const data of socket) {
      looped.push(data)
      if (data === 'b') break
    }
    const rest: unknown[] = []
    socket.on('message', (data) => rest.push(data))
    await settled()
    expect([looped, rest]).toEqual([
      ['a', 'b'],
      ['c', 'd', 'e'],
    ])
  })

  test('leaves a socket paused that the application has paused (F47)', async () => {
    const { client, socket } = await openPair()
    client.send('a')
    client.send('b')
    for await (const data of socket) {
      expect(data).toBe('a')
      socket.pause()
      break
    }
    const rest: unknown[] = []
    socket.on('message', (data) => rest.push(data))
    await settled()
    expect(socket.isPaused).toBe(true)
    expect(rest).toEqual([])
    socket.resume()
    await once(socket, 'message')
    expect(rest).toEqual(['b'])
  })

  test('yields every message in order while its body is slow', async () => {
    const { client, socket } = await openPair()
    const sent = Array.from({ length: 300 }, (_, index) => `message ${index}`)
    for (const message of sent) client.send(message)
    client.close()
    const received: unknown[] = []
    for await (const data of socket) {
      received.push(data)
      if (received.length % 50 === 0) await turn()
    }
    expect(received).toEqual(sent)
  })

  test('ends when the peer closes', async () => {
    const { client, socket } = await openPair()
    client.send('only')
    client.close(4000, 'enough')
    expect(await collect(socket)).toEqual(['only'])
  })

  test('throws if the peer disconnects without a Close frame (F13)', async () => {
    const running = await runningServer()
    const peer = await pausedClient(running.port)
    const { socket } = await running.next()
    peer.end(clientFrame({ opcode: opcode.text, payload: 'half', fin: false }))
    peer.resume()
    await expect(collect(socket)).rejects.toThrow('1006')
  })

  test('throws the cause if the heartbeat finds the peer silent (F13)', async () => {
    const running = await runningServer({ heartbeat: { interval: 16, timeout: 16 } })
    await pausedClient(running.port)
    const { socket } = await running.next()
    const heard: unknown[] = []
    socket.on('error', (error) => heard.push(error))
    const failure: unknown = await collect(socket).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'WS_ERR_SILENT_PEER' })
    expect(heard).toEqual([failure])
  })

  test('ends when the application calls terminate()', async () => {
    const { socket } = await openPair()
    setImmediate(() => {
      socket.terminate()
    })
    expect(await collect(socket)).toEqual([])
  })

  test('ends at once on a closed socket', async () => {
    const { client, socket } = await openPair()
    client.close()
    await once(socket, 'close')
    expect(await collect(socket)).toEqual([])
  })

  test('shares the messages with another loop over the same socket', async () => {
    const { client, socket } = await openPair()
    const loops = [collect(socket), collect(socket)]
    await settled()
    for (const message of ['a', 'b', 'c']) client.send(message)
    client.close()
    expect(await Promise.all(loops)).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ])
  })

  test('can begin before the connection is open', async () => {
    const running = await runningServer()
    running.server.on('connection', (socket) => {
      socket.send('at once')
      socket.close()
    })
    const client = await connect(running.url)
    expect(await collect(client)).toEqual(['at once'])
  })
})
