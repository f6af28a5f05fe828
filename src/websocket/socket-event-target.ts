import { EventEmitter } from 'node:events'
import { type Listener, type ListenerOptions, WebListeners } from './event-target.js'
import { SocketEmitter } from './socket-emitter.js'
import type { TargetEvents } from './web-events.js'

/**
 * The value of an `on…` attribute: a method's type, so that a socket of any user is assignable to one of an unknown
 * user.
 */
type EventHandler<Target, Type extends keyof TargetEvents<Target>> =
  { handle(event: TargetEvents<Target>[Type]): void }['handle'] | null

/**
 * Node's emitter and WHATWG's event target in one: emitted events reach the listeners of both. Those of WHATWG's
 * interface are called together, in the place of the first of them among the emitter's listeners.
 */
export class SocketEventTarget extends SocketEmitter {
  readonly #capturesRejections: boolean
  /** Created with the first listener. */
  #listeners: WebListeners | undefined

  /** @param capturesRejections - whether an async listener's rejection is caught, in both interfaces */
  constructor(capturesRejections = true) {
    super({ captureRejections: capturesRejections })
    this.#capturesRejections = capturesRejections
  }

  /**
   * Adds a listener as on the web: it gets an event object, and is added once for a type and `capture`. For types that a
   * socket does not dispatch, only {@link dispatchEvent} calls it.
   *
   * @throws TypeError when the listener is neither a function nor an object
   */
  addEventListener<Type extends keyof TargetEvents<this>>(
    type: Type,
    listener: Listener<TargetEvents<this>[Type]> | null | undefined,
    options?: ListenerOptions | boolean | null,
  ): void
  addEventListener(
    type: string,
    listener: Listener<Event> | null | undefined,
    options?: ListenerOptions | boolean | null,
  ): void
  addEventListener(
    type: string,
    listener: Listener<never> | null | undefined,
    options?: ListenerOptions | boolean | null,
  ): void {
    this.#web.add(type, listener, options)
  }

  /** Removes what {@link addEventListener} added for the same type and `capture`. */
  removeEventListener<Type extends keyof TargetEvents<this>>(
    type: Type,
    listener: Listener<TargetEvents<this>[Type]> | null | undefined,
    options?: ListenerOptions | boolean | null,
  ): void
  removeEventListener(
    type: string,
    listener: Listener<Event> | null | undefined,
    options?: ListenerOptions | boolean | null,
  ): void
  removeEventListener(
    type: string,
    listener: Listener<never> | null | undefined,
    options?: ListenerOptions | boolean | null,
  ): void {
    this.#listeners?.remove(type, listener, options)
  }

  /**
   * Calls the listeners of WHATWG's interface with an event of the application, as on the web.
   *
   * @returns `false` when one of them has prevented its default action
   * @throws TypeError when it is not an `Event`
   * @throws Error while it is being dispatched
   */
  dispatchEvent(event: Event): boolean {
    return this.#web.dispatch(event)
  }

  /** Removes the listeners of both interfaces. */
  override removeAllListeners(event?: string | symbol): this {
    // With an explicit undefined, Node.js removes only the listeners of an event with that name.
    if (event === undefined) super.removeAllListeners()
    else super.removeAllListeners(event)
    if (event === undefined) this.#listeners = undefined
    else if (typeof event === 'string') this.#listeners?.clear(event)
    return this
  }

  get onopen(): EventHandler<this, 'open'> {
    return this.#attribute('open')
  }
  set onopen(listener: EventHandler<this, 'open'>) {
    this.#setAttribute('open', listener)
  }

  get onmessage(): EventHandler<this, 'message'> {
    return this.#attribute('message')
  }
  set onmessage(listener: EventHandler<this, 'message'>) {
    this.#setAttribute('message', listener)
  }

  get onclose(): EventHandler<this, 'close'> {
    return this.#attribute('close')
  }
  set onclose(listener: EventHandler<this, 'close'>) {
    this.#setAttribute('close', listener)
  }

  get onerror(): EventHandler<this, 'error'> {
    return this.#attribute('error')
  }
  set onerror(listener: EventHandler<this, 'error'>) {
    this.#setAttribute('error', listener)
  }

  get #web(): WebListeners {
    this.#listeners ??= new WebListeners(
      this as never,
      (failure, type) => {
        Reflect.apply(this[EventEmitter.captureRejectionSymbol]!, this, [failure, type])
      },
      this.#capturesRejections,
    )
    return this.#listeners
  }

  #setAttribute(type: string, value: unknown): void {
    if (value !== null || this.#listeners !== undefined) this.#web.setAttribute(type, value)
  }

  #attribute<Type extends keyof TargetEvents<this>>(type: Type): EventHandler<this, Type> {
    return (this.#listeners?.getAttribute(type) ?? null) as EventHandler<this, Type>
  }
}
