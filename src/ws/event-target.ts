import type { EventEmitter } from 'node:events'
import type { CloseDetails } from '../connection/connection-events.js'

/** A listener of `addEventListener`. */
export type Listener = ((event: SocketEvent) => unknown) | { handleEvent(event: SocketEvent): unknown }

const HANDLED = ['open', 'message', 'close', 'error'] as const
type Type = (typeof HANDLED)[number]

/** The web event that listeners receive, and the class for `'open'`. */
class SocketEvent {
  readonly type: string
  readonly target: unknown

  constructor(type: string, target: unknown = null) {
    this.type = type
    this.target = target
  }
}

class MessageEvent extends SocketEvent {
  readonly data: unknown

  constructor(target: unknown, data: unknown, isBinary: boolean) {
    super('message', target)
    this.data = isBinary ? data : String(data)
  }
}

class CloseEvent extends SocketEvent {
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean

  constructor(target: unknown, code: number, reason: Buffer, details?: CloseDetails) {
    super('close', target)
    this.code = code
    this.reason = reason.toString()
    this.wasClean = details?.wasClean ?? false
  }
}

class ErrorEvent extends SocketEvent {
  readonly error: Error
  readonly message: string

  constructor(target: unknown, error: Error) {
    super('error', target)
    this.error = error
    this.message = error.message
  }
}

const eventOf: Record<Type, (target: unknown, ...values: never[]) => SocketEvent> = {
  open: (target) => new SocketEvent('open', target),
  message: (target, data: unknown, isBinary: boolean) => new MessageEvent(target, data, isBinary),
  close: (target, code: number, reason: Buffer, details: CloseDetails) =>
    new CloseEvent(target, code, reason, details),
  error: (target, error: Error) => new ErrorEvent(target, error),
}

type ListenerOptions = { once?: boolean | undefined; isAttribute?: boolean } | null | undefined
type Wrapper = ((...values: unknown[]) => void) & { [kListener]?: Listener; [kIsAttribute]?: boolean }

const kListener = Symbol('listener')
const kIsAttribute = Symbol('isAttribute')

/**
 * Adds a listener for web events. As in `ws`, it is one of the emitter's listeners: all are called in the order in which they
 * were added, and none after one that throws.
 */
function addListener(
  emitter: EventEmitter,
  type: string,
  listener: Listener | null | undefined,
  options: ListenerOptions,
): void {
  if (!isHandled(type) || (typeof listener !== 'function' && typeof listener !== 'object')) return
  if (listener === null) return
  const isAttribute = options?.isAttribute === true
  if (!isAttribute && find(emitter, type, false, listener) !== undefined) return
  const wrapper: Wrapper = (...values) => {
    const event = eventOf[type](emitter, ...(values as never[]))
    if (typeof listener === 'function') Reflect.apply(listener, emitter, [event])
    else listener.handleEvent(event)
  }
  wrapper[kListener] = listener
  wrapper[kIsAttribute] = isAttribute
  if (options?.once === true) emitter.once(type, wrapper)
  else emitter.on(type, wrapper)
}

/** Adds the methods of an event target and the attributes `onopen`, `onmessage` and so on to a class of emitters. */
export function defineEventTarget(prototype: object): void {
  for (const [name, method] of Object.entries(METHODS)) {
    Object.defineProperty(prototype, name, { configurable: true, writable: true, value: method })
  }
  for (const type of HANDLED) {
    Object.defineProperty(prototype, `on${type}`, {
      configurable: true,
      enumerable: true,
      get(this: EventEmitter): Listener | null {
        return find(this, type, true)?.[kListener] ?? null
      },
      set(this: EventEmitter, listener: unknown) {
        const before = find(this, type, true)
        if (before !== undefined) this.off(type, before)
        if (typeof listener === 'function')
          addListener(this, type, listener as Listener, { isAttribute: true })
      },
    })
  }
}

const METHODS = {
  addEventListener(this: EventEmitter, type: string, listener: Listener, options?: ListenerOptions): void {
    addListener(this, type, listener, options)
  },
  removeEventListener(this: EventEmitter, type: string, listener: unknown): void {
    const wrapper = find(this, type, false, listener)
    if (wrapper !== undefined) this.off(type, wrapper)
  },
}

function isHandled(type: string): type is Type {
  return (HANDLED as readonly string[]).includes(type)
}

function find(
  emitter: EventEmitter,
  type: string,
  isAttribute: boolean,
  listener?: unknown,
): Wrapper | undefined {
  // Not `rawListeners`: the emitter wraps listeners added with `once`.
  return (emitter.listeners(type) as Wrapper[]).find(
    (wrapper) =>
      wrapper[kIsAttribute] === isAttribute && (listener === undefined || wrapper[kListener] === listener),
  )
}
