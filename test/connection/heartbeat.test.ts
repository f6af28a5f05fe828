import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Heartbeat, type Pulse } from '#src/connection/heartbeat.js'
import { closeOf, SILENT_PEER } from '../support/close-of.js'
import { clientFrame, opcode } from '../support/raw-frame.js'
import { openAsClient } from '../support/raw-handshake.js'
import { runningServer } from '../support/running-server.js'

class FakePulse implements Pulse {
  silentLooks = 0
  /** What was asked of it, each with the time. */
  readonly asked: string[] = []
  readonly #onSilence: () => void

  constructor(onSilence = (): void => {}) {
    this.#onSilence = onSilence
  }

  sendHeartbeat(): void {
    this.asked.push(`ping at ${Date.now()}`)
  }

  onSilence(): void {
    this.asked.push(`gone at ${Date.now()}`)
    this.#onSilence()
  }

  /** What a connection does when something comes. */
  hears(): void {
    this.silentLooks = 0
  }
}

describe('a heartbeat', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('pings a silent peer once after the interval, and terminates it after the timeout', () => {
    const pulse = new FakePulse()
    const heartbeat = new Heartbeat({ interval: 8000, timeout: 4000 })
    heartbeat.add(pulse)
    vi.advanceTimersByTime(7999)
    expect(pulse.asked).toEqual([])
    vi.advanceTimersByTime(4000)
    expect(pulse.asked).toEqual(['ping at 8000'])
    vi.advanceTimersByTime(1)
    expect(pulse.asked).toEqual(['ping at 8000', 'gone at 12000'])
    heartbeat.delete(pulse)
  })

  test('pings some hundreds of peers in one turn, and the rest after other work has run', async () => {
    vi.useFakeTimers({ now: 0, toFake: ['setInterval', 'clearInterval', 'Date'] })
    const pulses = Array.from({ length: 600 }, () => new FakePulse())
    const heartbeat = new Heartbeat({ interval: 8000, timeout: 4000 })
    for (const pulse of pulses) heartbeat.add(pulse)
    const pinged = (): number => pulses.filter(({ asked }) => asked.length > 0).length
    vi.advanceTimersByTime(8000)
    const counts = [pinged()]
    while (counts.at(-1)! < 600) {
      await new Promise(setImmediate)
      counts.push(pinged())
    }
    expect(counts).toEqual([250, 500, 600])
    vi.advanceTimersByTime(3999)
    for (const { asked } of pulses) expect(asked).toEqual(['ping at 8000'])
    vi.advanceTimersByTime(1)
    for (const pulse of pulses) {
      expect(pulse.asked).toEqual(['ping at 8000', 'gone at 12000'])
      heartbeat.delete(pulse)
    }
  })

  test('waits 25 and 20 seconds by default', () => {
    const pulse = new FakePulse()
    const heartbeat = new Heartbeat()
    heartbeat.add(pulse)
    vi.advanceTimersByTime(46_000)
    expect(pulse.asked[0]).toBe('ping at 25000')
    expect(pulse.asked[1]).toBe('gone at 45000')
    heartbeat.delete(pulse)
  })

  test('counts any received byte as a sign of life, before the Ping and after it', () => {
    const pulse = new FakePulse()
    const heartbeat = new Heartbeat({ interval: 800, timeout: 800 })
    heartbeat.add(pulse)
    for (let time = 0; time < 10_000; time += 700) {
      vi.advanceTimersByTime(700)
      pulse.hears()
    }
    expect(pulse.asked).toEqual([])
    vi.advanceTimersByTime(1500)
    expect(pulse.asked).toHaveLength(1)
    pulse.hears()
    vi.advanceTimersByTime(799)
    expect(pulse.asked).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(pulse.asked).toHaveLength(2)
    expect(pulse.asked.every((asked) => asked.startsWith('ping'))).toBe(true)
    heartbeat.delete(pulse)
  })

  test('does not mistake a stall of the process for a silent peer', () => {
    const pulse = new FakePulse()
    const heartbeat = new Heartbeat({ interval: 8000, timeout: 8000 })
    heartbeat.add(pulse)
    vi.advanceTimersByTime(7000)
    // A suspended machine: an hour later by the clock, and the timer has run but once.
    vi.setSystemTime(Date.now() + 3_600_000)
    vi.advanceTimersByTime(999)
    expect(pulse.asked).toEqual([])
    vi.advanceTimersByTime(1)
    expect(pulse.asked).toHaveLength(1)
    vi.setSystemTime(Date.now() + 3_600_000)
    vi.advanceTimersByTime(7999)
    expect(pulse.asked).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(pulse.asked[1]).toMatch(/^gone/)
    heartbeat.delete(pulse)
  })

  test('has one timer for all connections, and none without connections', () => {
    const heartbeat = new Heartbeat({ interval: 800, timeout: 800 })
    expect(vi.getTimerCount()).toBe(0)
    const pulses = Array.from({ length: 1000 }, () => new FakePulse())
    for (const pulse of pulses) heartbeat.add(pulse)
    expect(vi.getTimerCount()).toBe(1)
    for (const pulse of pulses.slice(1)) heartbeat.delete(pulse)
    expect(vi.getTimerCount()).toBe(1)
    heartbeat.delete(pulses[1]!)
    heartbeat.delete(pulses[0]!)
    expect(vi.getTimerCount()).toBe(0)
    // And again, when somebody comes again.
    const late = new FakePulse()
    heartbeat.add(late)
    vi.advanceTimersByTime(800)
    expect(late.asked).toEqual(['ping at 800'])
    expect(pulses.every(({ asked }) => asked.length === 0)).toBe(true)
    heartbeat.delete(late)
  })

  test('judges each connection separately, and lets connections close during the check', () => {
    const heartbeat = new Heartbeat({ interval: 800, timeout: 800 })
    const leaves = (): FakePulse => {
      const pulse: FakePulse = new FakePulse(() => {
        heartbeat.delete(pulse)
      })
      heartbeat.add(pulse)
      return pulse
    }
    const [silent, busy, other] = [leaves(), leaves(), leaves()]
    vi.advanceTimersByTime(800)
    busy.hears()
    vi.advanceTimersByTime(1000)
    expect(silent.asked).toEqual(['ping at 800', 'gone at 1600'])
    expect(other.asked).toEqual(silent.asked)
    expect(busy.asked).toEqual(['ping at 800', 'ping at 1600'])
    expect(vi.getTimerCount()).toBe(1)
    heartbeat.delete(busy)
  })

  test.each([
    [{ interval: 1000, timeout: 3000 }, 1000, 4000],
    [{ interval: 3000, timeout: 1000 }, 3000, 4000],
    [{ interval: 1, timeout: 1 }, 1, 2],
    [{ interval: 4, timeout: 100 }, 4, 104],
  ])('keeps to %j', (times, ping, gone) => {
    const heartbeat = new Heartbeat(times)
    const pulse: FakePulse = new FakePulse(() => {
      heartbeat.delete(pulse)
    })
    heartbeat.add(pulse)
    vi.advanceTimersByTime(10_000)
    expect(pulse.asked).toEqual([`ping at ${ping}`, `gone at ${gone}`])
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '1000 ms'])(
    'throws a RangeError for %s milliseconds',
    (time) => {
      for (const name of ['interval', 'timeout']) {
        expect(() => new Heartbeat({ [name]: time })).toThrow(RangeError)
        expect(() => new Heartbeat({ [name]: time })).toThrow(/heartbeat: false turns the heartbeat off/)
      }
    },
  )
})

describe('a real peer', () => {
  const heartbeat = { interval: 40, timeout: 40 }

  test('that is silent is pinged, then closed with 1006 and the cause', async () => {
    const { port, next } = await runningServer({ heartbeat })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const closed = closeOf(socket)
    expect(await peer.next()).toMatchObject({
      opcode: 9,
      fin: true,
      payload: expect.objectContaining({ length: 4 }) as Buffer,
    })
    expect(await closed).toMatchObject(SILENT_PEER)
    expect(socket.latency).toBeUndefined()
    expect(await peer.next()).toBeUndefined()
  })

  test('that answers stays connected, and its latency is measured', async () => {
    const { port, next } = await runningServer({ heartbeat: { interval: 20, timeout: 5000 } })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    expect(socket.latency).toBeUndefined()
    for (let count = 0; count < 5; count++) {
      const ping = await peer.next()
      expect(ping?.opcode).toBe(9)
      const pong = once(socket, 'pong')
      peer.write(peer.encode({ opcode: 10, payload: ping!.payload, fin: true, rsv: 0 }))
      await pong
      expect(socket.latency).toBeGreaterThan(0)
    }
    expect(socket.readyState).toBe(1)
    peer.destroy()
  })

  test('that sends a Pong of its own while a Ping is unanswered does not set latency (F29)', async () => {
    const { port, next } = await runningServer({ heartbeat: { interval: 20, timeout: 60_000 } })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const ping = await peer.next()
    expect(ping?.opcode).toBe(9)
    const inverted = Buffer.from(ping!.payload.map((byte) => byte ^ 0xff))
    const foreign = [Buffer.alloc(0), inverted, Buffer.concat([ping!.payload, Buffer.of(0)])]
    for (const payload of foreign) {
      const pong = once(socket, 'pong')
      peer.write(peer.encode({ opcode: 10, payload, fin: true, rsv: 0 }))
      expect(await pong).toEqual([payload])
      expect(socket.latency).toBeUndefined()
    }
    const pong = once(socket, 'pong')
    peer.write(peer.encode({ opcode: 10, payload: ping!.payload, fin: true, rsv: 0 }))
    await pong
    const { latency } = socket
    expect(latency).toBeGreaterThan(0)
    // The same Pong again answers nothing.
    const again = once(socket, 'pong')
    peer.write(peer.encode({ opcode: 10, payload: ping!.payload, fin: true, rsv: 0 }))
    await again
    expect(socket.latency).toBe(latency)
    peer.destroy()
  })

  test('that sends a Pong before any Ping does not set latency (F29)', async () => {
    const { port, next } = await runningServer({ heartbeat: { interval: 60_000 } })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    peer.write(peer.encode({ opcode: 10, payload: Buffer.from('unasked'), fin: true, rsv: 0 }))
    expect(await once(socket, 'pong')).toEqual([Buffer.from('unasked')])
    expect(socket.latency).toBeUndefined()
    peer.destroy()
  })

  test('is not treated as silent while this end does not read', async () => {
    const { port, next } = await runningServer({ heartbeat })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    socket.pause()
    // More than is read ahead of a paused reader: reading stops.
    peer.write(clientFrame({ opcode: opcode.binary, payload: Buffer.alloc(200_000) }))
    const [other, { socket: witness }] = await Promise.all([openAsClient(port), next()])
    // Another one that is as silent: when it is gone, the time is over.
    expect((await closeOf(witness)).code).toBe(1006)
    expect((await other.peer.next())?.opcode).toBe(9)
    expect(socket.readyState).toBe(1)
    const closed = closeOf(socket)
    socket.resume()
    expect(await closed).toMatchObject({ code: 1006, cause: { code: 'WS_ERR_SILENT_PEER' }, dropped: 0 })
    peer.destroy()
  })

  test('is treated as silent while delivery is paused, as long as the socket is read', async () => {
    const { port, next } = await runningServer({ heartbeat })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    socket.pause()
    expect(await closeOf(socket)).toMatchObject({ code: 1006, cause: { code: 'WS_ERR_SILENT_PEER' } })
    expect((await peer.next())?.opcode).toBe(9)
    peer.destroy()
  })

  test('is not pinged with heartbeat: false', async () => {
    const { port, next } = await runningServer({ heartbeat: false })
    const [{ peer }, { socket }] = await Promise.all([openAsClient(port), next()])
    const watched = await runningServer({ heartbeat })
    const [other, { socket: witness }] = await Promise.all([openAsClient(watched.port), watched.next()])
    expect((await closeOf(witness)).code).toBe(1006)
    expect((await other.peer.next())?.opcode).toBe(9)
    socket.send('the first frame')
    expect((await peer.next())?.payload.toString()).toBe('the first frame')
    peer.destroy()
  })
})
