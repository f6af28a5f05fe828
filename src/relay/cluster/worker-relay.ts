import { connect, type Socket } from 'node:net'
import { Deferred } from '../deferred.js'
import {
  relayNotOpenError,
  type Relay,
  type RelayEvents,
  type RelayOptions,
  usedTwiceError,
} from '../relay.js'
import { encodeChannelFrame, encodeSync, FrameKind, type FrameSink, readFrames } from './frames.js'

/** Milliseconds until a relay that has lost its primary looks for it again. */
const RETRY_DELAY = 200

/** The relay of a worker: the router in its primary is the broker. */
export class WorkerRelay implements Relay, FrameSink {
  readonly options: RelayOptions | null | undefined
  readonly #path: string
  #events: RelayEvents | undefined
  #wasOpened = false
  #isConnected = false
  #socket: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  /** What waits for the router, by number. What is asked for in one turn shares one. */
  readonly #syncs = new Map<number, Deferred>()
  #next: Deferred | undefined
  #count = 0

  constructor(path: string, options: RelayOptions | null | undefined) {
    this.#path = path
    this.options = options
  }

  open(events: RelayEvents): void {
    if (this.#wasOpened) throw usedTwiceError()
    this.#wasOpened = true
    this.#events = events
    this.#connect()
  }

  async publish(channel: string, payload: Buffer): Promise<undefined> {
    await this.#send([encodeChannelFrame(FrameKind.message, channel, payload)])
  }

  subscribe(channels: readonly string[]): Promise<void> {
    return this.#send(channels.map((channel) => encodeChannelFrame(FrameKind.subscribe, channel)))
  }

  unsubscribe(channels: readonly string[]): Promise<void> {
    return this.#send(channels.map((channel) => encodeChannelFrame(FrameKind.unsubscribe, channel)))
  }

  close(): Promise<void> {
    this.#events = undefined
    clearTimeout(this.#timer)
    this.#fail(new Error('The relay is closed'))
    this.#socket?.destroy()
    return Promise.resolve()
  }

  onChannel(_kind: number, channel: string, payload: Buffer): void {
    this.#events?.message(channel, payload)
  }

  onSync(id: number): void {
    this.#syncs.get(id)?.resolve()
    this.#syncs.delete(id)
  }

  #connect(): void {
    const socket = connect(this.#path)
    this.#socket = socket
    socket.on('connect', () => {
      this.#change(true)
    })
    readFrames(socket, this)
    socket.on('close', () => {
      this.#lost()
    })
  }

  #lost(): void {
    if (this.#events === undefined) return
    this.#fail(new Error('The connection to the primary was lost: published messages may be lost too'))
    this.#change(false)
    this.#timer = setTimeout(() => {
      this.#connect()
    }, RETRY_DELAY)
  }

  #change(isConnected: boolean): void {
    if (isConnected === this.#isConnected) return
    this.#isConnected = isConnected
    this.#events?.connection({ canPublish: isConnected, canReceive: isConnected })
  }

  /** Settles when the router has done what the frames ask for. */
  async #send(frames: readonly Buffer[]): Promise<void> {
    if (this.#events === undefined) {
      throw relayNotOpenError()
    }
    if (!this.#isConnected) throw new Error('The primary cannot be reached')
    const sync = (this.#next ??= this.#beginTurn())
    for (const frame of frames) this.#socket!.write(frame)
    await sync.promise
  }

  /** What is written until the microtasks run leaves together, and a sync behind it. */
  #beginTurn(): Deferred {
    const socket = this.#socket!
    const sync = new Deferred()
    const id = (this.#count = (this.#count + 1) >>> 0)
    this.#syncs.set(id, sync)
    socket.cork()
    queueMicrotask(() => {
      if (this.#next === sync) this.#next = undefined
      socket.write(encodeSync(id))
      socket.uncork()
    })
    return sync
  }

  #fail(error: Error): void {
    this.#next = undefined
    for (const sync of this.#syncs.values()) sync.reject(error)
    this.#syncs.clear()
  }
}
