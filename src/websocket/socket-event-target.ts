import { EventEmitter } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { ConnectionEvents } from '../connection/connection-events.js'
import {
  addListener,
  getAttribute,
  type Listener,
  removeListener,
  setAttribute,
  type TargetEvents,
} from './event-target.js'

/** The events of a `WebSocket`. */
export interface WebSocketEvents extends ConnectionEvents {
  upgrade: [response: IncomingMessage]
  redirect: [url: string, request: ClientRequest]
  'unexpected-response': [request: ClientRequest, response: IncomingMessage]
}

/** The value of an `on…` attribute; a method's type, so that a socket of any user can stand for one of an unknown user. */
export type EventHandler<Target, Type extends keyof TargetEvents<Target>> =
  { handle(event: TargetEvents<Target>[Type]): void }['handle'] | null

/**
 * Node's emitter and WHATWG's event target in one: what is emitted reaches the listeners of both, in the order in which
 * they were added. An async listener's rejection is caught.
 */
export class SocketEventTarget extends EventEmitter<WebSocketEvents> {
  constructor() {
    super({ captureRejections: true })
  }

  /** WHATWG's listeners: they get one event object. */
  addEventListener<Type extends keyof TargetEvents<this>>(
    type: Type,
    listener: Listener<TargetEvents<this>[Type]>,
    options: { once?: boolean } = {},
  ): void {
    addListener(this, type, listener, options)
  }

  /** Removes what {@link addEventListener} added. */
  removeEventListener<Type extends keyof TargetEvents<this>>(
    type: Type,
    listener: Listener<TargetEvents<this>[Type]>,
  ): void {
    removeListener(this, type, listener)
  }

  get onopen(): EventHandler<this, 'open'> {
    return getAttribute(this, 'open') as EventHandler<this, 'open'>
  }
  set onopen(listener: EventHandler<this, 'open'>) {
    setAttribute(this, 'open', listener)
  }

  get onmessage(): EventHandler<this, 'message'> {
    return getAttribute(this, 'message') as EventHandler<this, 'message'>
  }
  set onmessage(listener: EventHandler<this, 'message'>) {
    setAttribute(this, 'message', listener)
  }

  get onclose(): EventHandler<this, 'close'> {
    return getAttribute(this, 'close') as EventHandler<this, 'close'>
  }
  set onclose(listener: EventHandler<this, 'close'>) {
    setAttribute(this, 'close', listener)
  }

  get onerror(): EventHandler<this, 'error'> {
    return getAttribute(this, 'error') as EventHandler<this, 'error'>
  }
  set onerror(listener: EventHandler<this, 'error'>) {
    setAttribute(this, 'error', listener)
  }
}
