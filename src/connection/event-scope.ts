import { AsyncResource } from 'node:async_hooks'
import { throwLater, toError } from '../options/thrown.js'
import type { CloseDetails, ConnectionEmitter, ConnectionEvents } from './connection-events.js'
import { channels } from './diagnostics.js'
import { warnOfFailure } from './failures.js'
import type { Preset } from './preset.js'
import type { ConnectionSettings } from './settings.js'

let emitDrain: (scope: EventScope) => void
let report: (scope: EventScope, error: Error) => void

/** Called once on the socket of a connection that is closed, before `'close'` is emitted. It may be async. */
export type ClosedListener = (code: number, reason: string, details: CloseDetails) => unknown

/**
 * Emits the events of a connection in the async context in which it was created, and in such a way that a listener that
 * fails closes its own connection and has no other effect.
 */
export abstract class EventScope extends AsyncResource {
  readonly settings: ConnectionSettings
  protected readonly emitter: ConnectionEmitter
  /** Converts the bytes of a binary message to the type in which it is delivered. */
  protected binaryForm: ((data: Buffer) => unknown) | undefined
  #closedListeners: Set<ClosedListener> | undefined

  constructor(settings: ConnectionSettings, emitter: ConnectionEmitter) {
    super('HubwireConnection')
    this.settings = settings
    this.emitter = emitter
  }

  /** The first properties of each message on the diagnostics channels. */
  protected get origin(): { socket: ConnectionEmitter; server: object | undefined } {
    return { socket: this.emitter, server: this.settings.server }
  }

  /** The type of binary messages, by the names in the preset. */
  set binaryType(type: string) {
    this.binaryForm = this.settings.preset.binaryForms[type]
  }

  abstract get readyState(): 1 | 2 | 3

  /** Ends the connection because of a listener that failed. */
  protected abstract closeFailed(error: Error): void

  /** Calls `listener` once when the connection is closed, independently of the listeners of `'close'`. */
  onceClosed(listener: ClosedListener): void {
    this.#closedListeners ??= new Set()
    this.#closedListeners.add(listener)
  }

  /** Removes a listener of {@link onceClosed}. */
  offClosed(listener: ClosedListener): void {
    this.#closedListeners?.delete(listener)
  }

  /** A listener or a send callback of the application failed: the connection is closed with 1011. */
  handlerFailed(failure: unknown, isErrorListener = false): void {
    const { preset, onHandlerFailed } = this.settings
    if (preset.handlerFailure === 'throw') {
      throwLater(failure)
      return
    }
    const error = toError(failure)
    const isOpen = this.readyState !== 3
    if (onHandlerFailed !== undefined) onHandlerFailed(error, this.emitter)
    else if (isErrorListener || !isOpen || this.emitter.listenerCount('error') === 0) warnOfFailure(error)
    if (isOpen) this.closeFailed(error)
    else if (channels.error.hasSubscribers) channels.error.publish({ ...this.origin, error })
  }

  /** Emits an event from within the scope. */
  protected emit<Name extends keyof ConnectionEvents>(name: Name, ...values: ConnectionEvents[Name]): void {
    try {
      this.emitter.emit(name, ...values)
    } catch (failure) {
      this.handlerFailed(failure, name === 'error')
    }
  }

  /** Emits `'drain'` from outside the scope. */
  protected emitDrain(): void {
    this.runInAsyncScope(emitDrain, undefined, this)
  }

  /** Reports the cause of an end in the next tick, if the preset emits such causes as `'error'`. */
  protected reportLater(error: Error, causes: Preset['errorEvents']): void {
    if (this.settings.preset.errorEvents === causes) later(this, report, error)
  }

  /** Emits `'error'` if it has a listener, or as the preset says. */
  #report(error: Error): void {
    if (channels.error.hasSubscribers) channels.error.publish({ ...this.origin, error })
    const { errorEvents, toErrorEvent } = this.settings.preset
    if (errorEvents === 'always' || this.emitter.listenerCount('error') > 0) {
      this.emit('error', toErrorEvent?.(error) ?? error)
    }
  }

  /** Reports the close: first to internal listeners, then to the application. */
  protected emitClose(...values: ConnectionEvents['close']): void {
    const [code, reason, details] = values
    this.settings.onClosed?.(this.emitter, details)
    callClosed(this.#closedListeners ?? [], this.emitter, values, (failure) => {
      this.handlerFailed(failure)
    })
    if (channels.close.hasSubscribers) {
      channels.close.publish({ ...this.origin, code, reason, details })
    }
    const isText = this.settings.preset.closeReason === 'string'
    this.emit('close', code, isText ? reason : (Buffer.from(reason) as unknown as string), details)
  }

  static {
    emitDrain = (scope) => {
      scope.emit('drain')
    }
    report = (scope, error) => {
      scope.#report(error)
    }
  }
}

/** Calls listeners of `onceClosed`, even if others throw or reject. */
export function callClosed(
  listeners: Iterable<ClosedListener>,
  emitter: unknown,
  values: ConnectionEvents['close'],
  onFailure: (failure: unknown) => void,
): void {
  for (const listener of listeners) {
    try {
      const result = Reflect.apply(listener, emitter, values)
      if (result instanceof Promise) result.catch(onFailure)
    } catch (failure) {
      onFailure(failure)
    }
  }
}

/** Calls `action` in the next tick, in the context of the connection. */
export function later<Scope extends EventScope, Value>(
  scope: Scope,
  action: (scope: Scope, value: Value) => void,
  value: Value,
): void {
  process.nextTick(inScope, scope, action, value)
}

function inScope(scope: EventScope, action: (...values: unknown[]) => void, value: unknown): void {
  scope.runInAsyncScope(action, undefined, scope, value)
}
