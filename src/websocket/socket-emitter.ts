import type { EventEmitter } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { ConnectionEvents } from '../connection/connection-events.js'
import { type EventListener, type EventMap, TypedEmitter } from '../events/typed-emitter.js'

/**
 * The arguments of `'message'`, distinguished by `isBinary`. With `textType: 'buffer'`, which these types do not reflect,
 * text is a Buffer too.
 */
export type Message = [data: string, isBinary: false] | [data: Buffer | ArrayBuffer, isBinary: true]

/** The events of a `WebSocket`, with their arguments. */
export interface WebSocketEvents extends Omit<ConnectionEvents, 'message'> {
  message: Message
  upgrade: [response: IncomingMessage]
  redirect: [url: string, request: ClientRequest]
  'unexpected-response': [request: ClientRequest, response: IncomingMessage]
}

/** The same without the relation of the two arguments of `'message'`. */
interface UnrelatedEvents extends Omit<WebSocketEvents, 'message'> {
  message: ConnectionEvents['message']
}

/**
 * An emitter of messages. A listener of `'message'` with two parameters has `data` narrowed by `isBinary`. The second
 * form of each method is for all other listeners: one with `data` alone does not accept {@link Message}, because
 * TypeScript compares the arguments of a union as a whole.
 */
interface MessageEmitter<Events extends EventMap<Events>> extends TypedEmitter<Events> {
  on(event: 'message', listener: EventListener<this, Message>): this
  on<Name extends keyof Events & string>(event: Name, listener: EventListener<this, Events[Name]>): this
  once(event: 'message', listener: EventListener<this, Message>): this
  once<Name extends keyof Events & string>(event: Name, listener: EventListener<this, Events[Name]>): this
  addListener(event: 'message', listener: EventListener<this, Message>): this
  addListener<Name extends keyof Events & string>(
    event: Name,
    listener: EventListener<this, Events[Name]>,
  ): this
  prependListener(event: 'message', listener: EventListener<this, Message>): this
  prependListener<Name extends keyof Events & string>(
    event: Name,
    listener: EventListener<this, Events[Name]>,
  ): this
  prependOnceListener(event: 'message', listener: EventListener<this, Message>): this
  prependOnceListener<Name extends keyof Events & string>(
    event: Name,
    listener: EventListener<this, Events[Name]>,
  ): this
  off(event: 'message', listener: EventListener<this, Message>): this
  off<Name extends keyof Events & string>(event: Name, listener: EventListener<this, Events[Name]>): this
  removeListener(event: 'message', listener: EventListener<this, Message>): this
  removeListener<Name extends keyof Events & string>(
    event: Name,
    listener: EventListener<this, Events[Name]>,
  ): this
}

/** The emitter of a socket. */
export type SocketEmitter = MessageEmitter<UnrelatedEvents>

/** The class `EventEmitter` itself, under these types. */
export const SocketEmitter: new (...options: ConstructorParameters<typeof EventEmitter>) => SocketEmitter =
  TypedEmitter
