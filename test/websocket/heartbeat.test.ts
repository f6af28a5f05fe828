import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { openPair } from '../support/open-pair.js'
import { pausedClient } from '../support/paused-client.js'
import { openAsClient } from '../support/raw-handshake.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { runningServer } from '../support/running-server.js'
import { acceptance, scriptedServer } from '../support/scripted-server.js'
import { connect } from 'hubwire'

describe('the heartbeat', () => {
  test('pings an idle peer, and sets latency from its answer', async () => {
    const { client, socket } = await openPair({ server: { heartbeat: { interval: 20, timeout: 1000 } } })
    expect(socket.latency).toBeUndefined()
    await once(socket, 'pong')
    expect(socket.latency).toBeGreaterThan(0)
    await once(client, 'ping')
    expect(client.latency).toBeUndefined()
  })

  test('sets no latency after an unsolicited Pong', async () => {
    const { client, socket } = await openPair({ server: { heartbeat: false } })
    client.pong('unsolicited')
    await once(socket, 'pong')
    expect(socket.latency).toBeUndefined()
  })

  test('closes with 1006 and a cause when the peer is silent', async () => {
    const { port, next } = await runningServer({ heartbeat: { interval: 20, timeout: 20 } })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const errors = vi.fn()
    socket.on('error', errors)
    const close = await closeOf(socket)
    expect(close).toMatchObject({ code: 1006, reason: '', wasClean: false, initiator: 'local' })
    expect(close.cause?.message).toMatch(/silent/)
    expect((await peer.next())?.opcode).toBe(opcode.ping)
    expect(await peer.next()).toBeUndefined()
  })

  test('closes with 1006 when the peer is gone and its buffers are full', async () => {
    const { port, next } = await runningServer({ heartbeat: { interval: 20, timeout: 20 } })
    const [peer, { socket }] = await Promise.all([pausedClient(port), next()])
    while (socket.send(Buffer.alloc(1_000_000)));
    expect((await closeOf(socket)).code).toBe(1006)
    peer.destroy()
  })

  test('runs in clients too', async () => {
    const { url } = await scriptedServer((request, socket) => socket.write(acceptance(request)))
    const client = await connect(url, { heartbeat: { interval: 20, timeout: 20 } })
    expect((await closeOf(client)).cause?.message).toMatch(/silent/)
  })

  test('counts every byte that a peer sends as a sign of life', async () => {
    const { port, next } = await runningServer({ heartbeat: { interval: 40, timeout: 40 } })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const closed = vi.fn()
    socket.on('close', closed)
    // The peer answers no Ping, but sends a frame byte by byte. Another pair serves as the clock.
    const { socket: clock } = await openPair({ server: { heartbeat: { interval: 40, timeout: 1000 } } })
    const bytes = peer.encode({ opcode: opcode.text, payload: Buffer.alloc(60, 'x'), fin: true, rsv: 0 })
    let offset = 0
    const timer = setInterval(() => {
      peer.write(bytes.subarray(offset++ % bytes.length, ((offset - 1) % bytes.length) + 1))
    }, 5)
    for (let beats = 0; beats < 5; beats++) await once(clock, 'pong')
    clearInterval(timer)
    expect(closed).not.toHaveBeenCalled()
  })

  test('leaves a closing connection, whose peer it does not ping, to closeTimeout', async () => {
    const { port, next } = await runningServer({
      heartbeat: { interval: 20, timeout: 20 },
      closeTimeout: 60_000,
    })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const { socket: clock } = await openPair({ server: { heartbeat: { interval: 20, timeout: 1000 } } })
    const closed = closeOf(socket)
    socket.close(4000)
    expect((await peer.next())?.opcode).toBe(opcode.close)
    for (let beats = 0; beats < 5; beats++) await once(clock, 'pong')
    peer.write(peer.encode({ opcode: opcode.close, payload: Buffer.from([0x0f, 0xa0]), fin: true, rsv: 0 }))
    expect(await peer.next()).toBeUndefined()
    peer.end()
    expect(await closed).toMatchObject({ code: 4000, wasClean: true, cause: undefined })
  })

  test('does not close a paused connection', async () => {
    const heartbeat = { interval: 20, timeout: 20 }
    const { running, client, socket } = await openPair({ server: { heartbeat } })
    const closed = vi.fn()
    socket.on('close', closed)
    const [clockClient, { socket: clock }] = await Promise.all([connect(running.url), running.next()])
    socket.pause()
    for (let beats = 0; beats < 6; beats++) await once(clock, 'pong')
    expect(closed).not.toHaveBeenCalled()
    socket.resume()
    client.send('still here')
    expect(await once(socket, 'message')).toEqual(['still here', false])
    clockClient.terminate()
  })

  test('does not close a connection that is paused after its Ping', async () => {
    const heartbeat = { interval: 20, timeout: 60 }
    const { port, next } = await runningServer({ heartbeat, autoPong: false })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const closed = vi.fn()
    socket.on('close', closed)
    expect((await peer.next())?.opcode).toBe(opcode.ping)
    socket.pause()
    // More than is read ahead for a paused reader, so reading stops before the Pong.
    peer.write(clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(200_000) }))
    const { socket: clock } = await openPair({ server: { heartbeat: { interval: 20, timeout: 1000 } } })
    for (let beats = 0; beats < 8; beats++) await once(clock, 'pong')
    expect(closed).not.toHaveBeenCalled()
    peer.destroy()
  })

  test('does not ping a closing connection', async () => {
    const { port, next } = await runningServer({
      heartbeat: { interval: 20, timeout: 40 },
      closeTimeout: 10_000,
    })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    socket.close(1000)
    expect((await peer.next())?.opcode).toBe(opcode.close)
    // The timeout of the heartbeat ends it, long before closeTimeout, without another frame.
    expect((await closeOf(socket)).code).toBe(1006)
    expect(await peer.next()).toBeUndefined()
  })

  test('starts no timer if it is false', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const { running } = await openPair({ server: { heartbeat: false }, client: { heartbeat: false } })
    const before = timers()
    const client = await connect(running.url, { heartbeat: false })
    expect(timers()).toBeLessThanOrEqual(before)
    client.terminate()
  })
})
