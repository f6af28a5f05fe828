import type { CloseDetails } from '../connection/connection-events.js'

/** An event as WHATWG's `EventTarget` listeners get it. */
export interface SocketEvent<Target> {
  readonly type: string
  readonly target: Target
}

/** A message; see {@link https://websockets.spec.whatwg.org/#feedback-from-the-protocol | WHATWG}. */
export interface MessageEvent<Target> extends SocketEvent<Target> {
  /** Text as `string`; binary by `binaryType`. */
  readonly data: string | Buffer | ArrayBuffer | Blob
}

/** The end of a connection. */
export interface CloseEvent<Target> extends SocketEvent<Target>, CloseDetails {
  readonly code: number
  readonly reason: string
}

/** What went wrong with a connection. */
export interface ErrorEvent<Target> extends SocketEvent<Target> {
  readonly error: Error
  readonly message: string
}

/** The events that have a WHATWG form. */
export interface TargetEvents<Target> {
  open: SocketEvent<Target>
  message: MessageEvent<Target>
  close: CloseEvent<Target>
  error: ErrorEvent<Target>
}

/** A listener as `addEventListener` takes it. */
export type Listener<Event> = ((event: Event) => unknown) | { handleEvent: (event: Event) => unknown }

type Type = keyof TargetEvents<unknown>
type AnyListener = Listener<never>
type Wrapper = ((...values: unknown[]) => unknown) & { [wrapped]?: AnyListener; [isAttribute]?: boolean }

/** What is needed of an emitter, whatever its events. */
interface ListenerList {
  on(type: Type, listener: Wrapper): unknown
  off(type: Type, listener: Wrapper): unknown
  listeners(type: Type): unknown[]
}

/** Where a wrapper keeps the listener that it calls. */
const wrapped: unique symbol = Symbol('wrapped')
/** Marks the listener that was set through `onmessage` and its like, of which there is one a type. */
const isAttribute: unique symbol = Symbol('isAttribute')

/** Makes the WHATWG event of an emitter's arguments. */
const makeEvent: { [Name in Type]: (target: unknown, ...values: never[]) => TargetEvents<unknown>[Name] } = {
  open: (target) => ({ type: 'open', target }),
  message: (target, data: string | Buffer | ArrayBuffer, isBinary: boolean) => ({
    type: 'message',
    target,
    data: messageData(data, isBinary, (target as { binaryType: string }).binaryType),
  }),
  close: (target, code: number, reason: string, details: CloseDetails) => ({
    type: 'close',
    target,
    code,
    reason,
    ...details,
  }),
  error: (target, error: Error) => ({ type: 'error', target, error, message: error.message }),
}

/**
 * WHATWG's listeners laid over those of an emitter: one list, so that both kinds are called in the order in which
 * they were added.
 */
export function addListener(
  emitter: ListenerList,
  type: Type,
  listener: AnyListener,
  options: { once?: boolean; attribute?: boolean } = {},
): void {
  // As the web's EventTarget: no listener is no error, and an event that we never dispatch has none called.
  if (listener === null || listener === undefined || !Object.hasOwn(makeEvent, type)) return
  if (find(emitter, type, listener, options.attribute === true) !== undefined) return
  const wrapper: Wrapper = (...values) => {
    if (options.once === true) emitter.off(type, wrapper)
    const event = makeEvent[type](emitter, ...(values as never[])) as never
    // What it returns may be the promise of an async listener, whose rejection the emitter catches.
    return call(emitter, listener, event)
  }
  wrapper[wrapped] = listener
  if (options.attribute === true) wrapper[isAttribute] = true
  emitter.on(type, wrapper)
}

/** Text is always a string, whatever `textType` says; only here is there a Blob. */
function messageData(
  data: string | Buffer | ArrayBuffer,
  isBinary: boolean,
  binaryType: string,
): string | Buffer | ArrayBuffer | Blob {
  if (!isBinary) return typeof data === 'string' ? data : (data as Buffer).toString()
  return binaryType === 'blob' ? new Blob([data]) : data
}

function call(emitter: ListenerList, listener: AnyListener, event: never): unknown {
  if (typeof listener === 'function') return Reflect.apply(listener, emitter, [event])
  return listener.handleEvent(event)
}

/** Removes what {@link addListener} added. */
export function removeListener(emitter: ListenerList, type: Type, listener: AnyListener): void {
  const wrapper = find(emitter, type, listener, false)
  if (wrapper !== undefined) emitter.off(type, wrapper)
}

/** Sets, or with `null` removes, the one listener of an `on…` attribute. */
export function setAttribute(emitter: ListenerList, type: Type, listener: AnyListener | null): void {
  const before = attributeWrapper(emitter, type)
  if (before !== undefined) emitter.off(type, before)
  if (typeof listener === 'function') addListener(emitter, type, listener, { attribute: true })
}

/** The listener of an `on…` attribute. */
export function getAttribute(emitter: ListenerList, type: Type): AnyListener | null {
  return attributeWrapper(emitter, type)?.[wrapped] ?? null
}

function attributeWrapper(emitter: ListenerList, type: Type): Wrapper | undefined {
  return (emitter.listeners(type) as Wrapper[]).find((wrapper) => wrapper[isAttribute] === true)
}

function find(
  emitter: ListenerList,
  type: Type,
  listener: AnyListener,
  attribute: boolean,
): Wrapper | undefined {
  return (emitter.listeners(type) as Wrapper[]).find(
    (wrapper) => wrapper[wrapped] === listener && (wrapper[isAttribute] === true) === attribute,
  )
}
