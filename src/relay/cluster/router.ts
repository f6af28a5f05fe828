import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { encodeChannelFrame, encodeSync, FrameKind, type FrameSink, readFrames } from './frames.js'

/** The environment variable in which a primary passes its path to its workers. */
export const VARIABLE = 'HUBWIRE_CLUSTER'

/** Bytes that may be queued for one worker. More is dropped: a stalled worker must not take more memory. */
const MAX_WAITING = 16 * 1024 * 1024

/** What the router delivers to. */
export interface Subscriber {
  deliver(channel: string, payload: Buffer): void
}

/** Passes messages on to those that have subscribed to their channels: the broker of the workers of one process. */
export class Router {
  readonly #channels = new Map<string, Set<Subscriber>>()

  subscribe(subscriber: Subscriber, channel: string): void {
    const subscribers = this.#channels.get(channel)
    if (subscribers === undefined) this.#channels.set(channel, new Set([subscriber]))
    else subscribers.add(subscriber)
  }

  unsubscribe(subscriber: Subscriber, channel: string): void {
    const subscribers = this.#channels.get(channel)
    subscribers?.delete(subscriber)
    if (subscribers?.size === 0) this.#channels.delete(channel)
  }

  publish(channel: string, payload: Buffer): void {
    for (const subscriber of this.#channels.get(channel) ?? []) subscriber.deliver(channel, payload)
  }
}

/** A subscriber, and what it has subscribed to. */
export class Subscriptions {
  readonly #router: Router
  readonly #subscriber: Subscriber
  readonly #channels = new Set<string>()

  constructor(router: Router, subscriber: Subscriber) {
    this.#router = router
    this.#subscriber = subscriber
  }

  add(channel: string): void {
    this.#channels.add(channel)
    this.#router.subscribe(this.#subscriber, channel)
  }

  delete(channel: string): void {
    this.#channels.delete(channel)
    this.#router.unsubscribe(this.#subscriber, channel)
  }

  end(): void {
    for (const channel of this.#channels) this.#router.unsubscribe(this.#subscriber, channel)
    this.#channels.clear()
  }
}

/** The relay of a hub in a worker. */
class RemoteRelay implements Subscriber, FrameSink {
  readonly #router: Router
  readonly #socket: Socket
  readonly #subscriptions: Subscriptions

  constructor(router: Router, socket: Socket) {
    this.#router = router
    this.#socket = socket
    this.#subscriptions = new Subscriptions(router, this)
    readFrames(socket, this)
    socket.on('close', () => {
      this.#subscriptions.end()
    })
    // The workers keep their primary running, not this.
    socket.unref()
  }

  /** The sequence numbers of the hubs tell what was dropped. */
  deliver(channel: string, payload: Buffer): void {
    if (this.#socket.writableLength > MAX_WAITING) return
    this.#write(encodeChannelFrame(FrameKind.message, channel, payload))
  }

  onChannel(kind: number, channel: string, payload: Buffer): void {
    if (kind === FrameKind.message) this.#router.publish(channel, payload)
    else if (kind === FrameKind.subscribe) this.#subscriptions.add(channel)
    else this.#subscriptions.delete(channel)
  }

  onSync(id: number): void {
    this.#write(encodeSync(id))
  }

  /** All that is written in one turn leaves together. */
  #write(bytes: Buffer): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork()
      process.nextTick(() => {
        this.#socket.uncork()
      })
    }
    this.#socket.write(bytes)
  }
}

let routerOfThisProcess: Router | undefined

/** The router of this process, which serves the workers that it starts from now on. */
export function routerOfProcess(): Router {
  return (routerOfThisProcess ??= startRouter())
}

function startRouter(): Router {
  const router = new Router()
  const path = pathToListenOn()
  const server = createServer((socket) => new RemoteRelay(router, socket))
  server.listen(path)
  server.unref()
  process.env[VARIABLE] = path
  return router
}

function pathToListenOn(): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\hubwire-${randomUUID()}`
  // Nobody but this user can look into it.
  const path = join(mkdtempSync(join(tmpdir(), 'hubwire-')), 'cluster.sock')
  process.on('exit', () => {
    rmSync(dirname(path), { recursive: true, force: true })
  })
  return path
}
