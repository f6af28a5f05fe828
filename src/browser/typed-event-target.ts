import type { Status } from './status.js'

/** A message from the server. */
export interface Message extends Event {
  /** Text as `string`; binary as `Blob` or `ArrayBuffer`, by `binaryType`. */
  readonly data: unknown
}

/** What failed: the URL function, the class that connects, or a function of the options. */
export interface Failure extends Event {
  readonly error: unknown
}

/** Whether the server could resume from the requested position. */
export interface Recovery extends Event {
  readonly recovered: boolean
}

/** The events of a `ReconnectingWebSocket`, by their types. */
export interface ReconnectingEvents {
  state: Event & Status
  message: Message
  error: Failure
  recovery: Recovery
}

type Listener<Event> = ((event: Event) => unknown) | { handleEvent(event: Event): unknown }

/** WHATWG's `EventTarget` (https://dom.spec.whatwg.org/#interface-eventtarget), with the types of these events. */
export interface TypedEventTarget {
  addEventListener<Type extends keyof ReconnectingEvents>(
    type: Type,
    listener: Listener<ReconnectingEvents[Type]> | null,
    options?: boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal },
  ): void
  removeEventListener<Type extends keyof ReconnectingEvents>(
    type: Type,
    listener: Listener<ReconnectingEvents[Type]> | null,
    options?: boolean | { capture?: boolean },
  ): void
  dispatchEvent(event: Event): boolean
}

export const TypedEventTarget: new () => TypedEventTarget = EventTarget
