import { type EventEmitter, getEventListeners, setMaxListeners } from 'node:events'
import { eventMakers, type Route, routeEvent } from './event-makers.js'
import type { TargetEvents } from './web-events.js'

/** A listener for `addEventListener`. */
export type Listener<Event> = ((event: Event) => unknown) | { handleEvent: (event: Event) => unknown }

/**
 * The options of `addEventListener`; see {@link https://dom.spec.whatwg.org/#dictdef-addeventlisteneroptions | the DOM
 * standard}.
 */
export interface ListenerOptions {
  /** Removes the listener before its first call. */
  once?: boolean
  /** Removes the listener when it is aborted. */
  signal?: AbortSignal
  /** Distinguishes two additions of one listener. A socket has no ancestors to capture from. */
  capture?: boolean
  /** Prevents the listener from cancelling a default action, which a socket's events do not have. */
  passive?: boolean
}

type AnyListener = Listener<never>
type Type = keyof TargetEvents<unknown>

/** An `on…` attribute. It keeps its place among the listeners when its function is replaced. */
interface Attribute {
  value: object
  readonly listener: (event: Event) => void
}

/** The emitter to which web listeners are added. */
type Socket = Pick<EventEmitter, 'on' | 'off' | 'listeners' | 'getMaxListeners'> & Route['socket']

/**
 * The web listeners of an emitter, in an `EventTarget` of Node.js that dispatches events on behalf of the emitter. For
 * each type that it emits and that has listeners here, the emitter has one listener, which creates the event for all of
 * them.
 *
 * A listener that throws does not prevent the others from being called. Its failure is reported after them.
 */
export class WebListeners {
  readonly #socket: Socket
  readonly #onFailure: (failure: unknown, type: string) => void
  readonly #catchesRejections: boolean
  readonly #node = new EventTarget()
  readonly #route: Route
  /** The function in the `EventTarget` for each listener. */
  readonly #wrappers = new WeakMap<AnyListener, (event: Event) => void>()
  readonly #attributes = new Map<string, Attribute>()
  readonly #forwarders = new Map<Type, (...values: unknown[]) => void>()
  /** The types whose listeners may have been removed automatically. */
  readonly #passing = new Set<string>()
  /** The failures of listeners during the current dispatch. */
  #failures: unknown[] = []

  /**
   * @param onFailure - called with what a listener throws and, with `catchesRejections`, what an async one rejects with
   */
  constructor(
    socket: Socket,
    onFailure: (failure: unknown, type: string) => void,
    catchesRejections: boolean,
  ) {
    this.#socket = socket
    this.#onFailure = onFailure
    this.#catchesRejections = catchesRejections
    this.#route = { node: this.#node, socket }
  }

  /** @throws TypeError when the listener is neither a function nor an object, or an option is of the wrong type */
  add(
    type: string,
    listener: AnyListener | null | undefined,
    options?: ListenerOptions | boolean | null,
  ): void {
    // As on the web, a missing listener is ignored.
    if (listener === null || listener === undefined) return
    const { once = false, signal } = typeof options === 'object' && options !== null ? options : {}
    if (once || signal) this.#passing.add(type)
    this.#listen(type, this.#wrap(listener), options ?? false)
  }

  remove(
    type: string,
    listener: AnyListener | null | undefined,
    options?: ListenerOptions | boolean | null,
  ): void {
    const wrapper = listener && this.#wrappers.get(listener)
    if (!wrapper) return
    this.#node.removeEventListener(type, wrapper, { capture: isCapture(options) })
    this.#prune(type)
  }

  /** Calls the listeners of the event's type. */
  dispatch(event: Event): boolean {
    // Node.js throws for anything else.
    if (event instanceof Event) routeEvent(event, this.#route)
    return this.#dispatch(event)
  }

  /** Sets an `on…` attribute; anything but a function or an object removes it. */
  setAttribute(type: string, value: unknown): void {
    const attribute = this.#attributes.get(type)
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
      if (attribute === undefined) return
      this.#attributes.delete(type)
      this.#node.removeEventListener(type, attribute.listener)
      this.#prune(type)
    } else if (attribute !== undefined) {
      attribute.value = value
    } else {
      const added: Attribute = {
        value,
        listener: (event) => {
          this.#callAttribute(added.value, event)
        },
      }
      this.#attributes.set(type, added)
      this.#listen(type, added.listener, false)
    }
  }

  getAttribute(type: string): unknown {
    return this.#attributes.get(type)?.value ?? null
  }

  /** Removes all listeners of one type. */
  clear(type: string): void {
    this.setAttribute(type, null)
    for (const wrapper of getEventListeners(this.#node, type) as ((event: Event) => void)[]) {
      this.#node.removeEventListener(type, wrapper)
      this.#node.removeEventListener(type, wrapper, { capture: true })
    }
    this.#prune(type)
  }

  #listen(type: string, wrapper: (event: Event) => void, options: ListenerOptions | boolean): void {
    // It warns of leaks like the emitter.
    setMaxListeners(this.#socket.getMaxListeners(), this.#node)
    this.#node.addEventListener(type, wrapper, options)
    // Listeners of types that the emitter does not dispatch are called only by `dispatch`.
    if (isEmitted(type)) this.#forward(type)
  }

  #forward(type: Type): void {
    let forwarder = this.#forwarders.get(type)
    if (forwarder === undefined) {
      const make = eventMakers()[type]
      forwarder = (...values) => {
        if (this.#hasListeners(type)) this.#dispatch(make(this.#route, ...(values as never[])))
        if (this.#passing.has(type)) this.#prune(type)
      }
      this.#forwarders.set(type, forwarder)
    }
    if (!this.#socket.listeners(type).includes(forwarder)) this.#socket.on(type, forwarder)
  }

  #hasListeners(type: string): boolean {
    return !this.#passing.has(type) || getEventListeners(this.#node, type).length > 0
  }

  /** Removes the emitter's listener when there are no web listeners. */
  #prune(type: string): void {
    if (!isEmitted(type) || getEventListeners(this.#node, type).length > 0) return
    this.#passing.delete(type)
    const forwarder = this.#forwarders.get(type)
    if (forwarder !== undefined) this.#socket.off(type, forwarder)
  }

  #dispatch(event: Event): boolean {
    const outer = this.#failures
    const failures: unknown[] = (this.#failures = [])
    try {
      return this.#node.dispatchEvent(event)
    } finally {
      this.#failures = outer
      for (const failure of failures) this.#onFailure(failure, event.type)
    }
  }

  #wrap(listener: AnyListener): (event: Event) => void {
    if (typeof listener !== 'function' && typeof listener !== 'object') {
      throw new TypeError(
        `A listener is a function or an object with handleEvent; ${String(listener)} is neither`,
      )
    }
    let wrapper = this.#wrappers.get(listener)
    if (wrapper === undefined) {
      wrapper = (event) => {
        this.#call(listener, event)
      }
      this.#wrappers.set(listener, wrapper)
    }
    return wrapper
  }

  /** Catches the rejection of an async listener, if it returned a promise or thenable. */
  #catch(result: unknown, type: string): void {
    const then = (result as { then?: unknown } | null | undefined)?.then
    if (typeof then !== 'function') return
    Reflect.apply(then, result, [
      undefined,
      (failure: unknown) => {
        this.#onFailure(failure, type)
      },
    ])
  }

  #callAttribute(value: object, event: Event): void {
    // An object is kept, and not called: https://html.spec.whatwg.org/#event-handler-attributes
    if (typeof value !== 'function') return
    if (this.#call(value as (event: never) => unknown, event) === false) event.preventDefault()
  }

  #call(listener: AnyListener, event: Event): unknown {
    try {
      const result: unknown =
        typeof listener === 'function'
          ? Reflect.apply(listener, this.#socket, [event])
          : listener.handleEvent(event as never)
      if (this.#catchesRejections) this.#catch(result, event.type)
      return result
    } catch (failure) {
      this.#failures.push(failure)
      return undefined
    }
  }
}

/** Node.js accepts `capture` only in an object when it removes a listener. */
function isCapture(options: ListenerOptions | boolean | null | undefined): boolean {
  return typeof options === 'object' && options !== null ? Boolean(options.capture) : options === true
}

function isEmitted(type: string): type is Type {
  return type === 'open' || type === 'message' || type === 'close' || type === 'error'
}
