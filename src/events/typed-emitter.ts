import { EventEmitter } from 'node:events'

/** The arguments of each event, by its name. */
export type EventMap<Events> = Record<keyof Events, unknown[]>

/** A listener of an event: it may be asynchronous. */
export type EventListener<Target, Values extends unknown[]> = (this: Target, ...values: Values) => unknown

/**
 * Node.js's `EventEmitter` with the names and arguments of its events. Its own types accept any name, and then require a
 * listener of type `never`. These types reject an unknown event.
 */
export interface TypedEmitter<Events extends EventMap<Events>> extends EventEmitter {
  on<Name extends keyof Events & string>(event: Name, listener: EventListener<this, Events[Name]>): this
  once<Name extends keyof Events & string>(event: Name, listener: EventListener<this, Events[Name]>): this
  addListener<Name extends keyof Events & string>(
    event: Name,
    listener: EventListener<this, Events[Name]>,
  ): this
  prependListener<Name extends keyof Events & string>(
    event: Name,
    listener: EventListener<this, Events[Name]>,
  ): this
  prependOnceListener<Name extends keyof Events & string>(
    event: Name,
    listener: EventListener<this, Events[Name]>,
  ): this
  off<Name extends keyof Events & string>(event: Name, listener: EventListener<this, Events[Name]>): this
  removeListener<Name extends keyof Events & string>(
    event: Name,
    listener: EventListener<this, Events[Name]>,
  ): this
  emit<Name extends keyof Events & string>(event: Name, ...values: Events[Name]): boolean
}

type TypedEmitterClass = new <Events extends EventMap<Events>>(
  ...options: ConstructorParameters<typeof EventEmitter>
) => TypedEmitter<Events>

/** The class `EventEmitter` itself, under these types. */
export const TypedEmitter: TypedEmitterClass = EventEmitter as unknown as TypedEmitterClass
