import type { CloseDetails } from '../connection/connection-events.js'
import type { TargetEvents } from './web-events.js'

type EventType = keyof TargetEvents<unknown>

/** The route of an event: `node` dispatches it on behalf of `socket`. */
export interface Route {
  readonly node: EventTarget
  readonly socket: { readonly url: string; readonly binaryType: string }
}

/** Where an event keeps its {@link Route}. */
const route: unique symbol = Symbol('route')
type Routed = Event & { [route]?: Route }

/** Creates the web event for an emitted event. */
type EventMaker = (route: Route, ...values: never[]) => Event

type EventMakers = Readonly<Record<EventType, EventMaker>>
let makers: EventMakers | undefined

/** The factories of all events. The first call loads Node's classes, which takes about 50 ms since Node.js 22. */
export function eventMakers(): EventMakers {
  return (makers ??= {
    open: (to) => new SocketEvent('open', to),
    message: messageMaker(),
    close: closeMaker(),
    error: (to, error: Error) => new ErrorEvent(error, to),
  })
}

/** Makes an event return the socket where Node.js returns the `EventTarget` that dispatches it. */
export function routeEvent(event: Event, to: Route): void {
  Object.defineProperties(event, ROUTING)
  Object.defineProperty(event, route, { value: to, configurable: true })
}

function socketFor(event: Routed, target: unknown): unknown {
  const to = event[route]!
  return target === to.node ? to.socket : target
}

/** An accessor that replaces one of Node's. */
function accessor(name: 'target' | 'currentTarget' | 'srcElement'): PropertyDescriptor {
  return {
    get(this: Routed) {
      return socketFor(this, Reflect.get(Event.prototype, name, this))
    },
    configurable: true,
  }
}

const ROUTING: PropertyDescriptorMap = {
  target: accessor('target'),
  currentTarget: accessor('currentTarget'),
  srcElement: accessor('srcElement'),
  composedPath: {
    value(this: Routed) {
      return Event.prototype.composedPath.call(this).map((target) => socketFor(this, target))
    },
    configurable: true,
  },
}

/** WHATWG's `Event` at a socket. */
class SocketEvent extends Event {
  readonly [route]: Route

  constructor(type: string, to: Route) {
    super(type)
    this[route] = to
  }
}
Object.defineProperties(SocketEvent.prototype, ROUTING)

/** An `Event`, as in WHATWG's standard, with the properties `error` and `message` of `ws`. */
class ErrorEvent extends SocketEvent {
  readonly error: Error
  readonly message: string

  constructor(error: Error, to: Route) {
    super('error', to)
    this.error = error
    this.message = error.message
  }
}

/** WHATWG's `MessageEvent`, whose types differ between versions of Node.js. */
type MessageEventClass = new (type: 'message', init: { data: unknown; origin: string }) => Event

function messageMaker(): EventMaker {
  const { MessageEvent: Base } = globalThis as unknown as { MessageEvent: MessageEventClass }
  class MessageEvent extends Base {
    readonly [route]: Route

    constructor(data: unknown, origin: string, to: Route) {
      super('message', { data, origin })
      this[route] = to
    }
  }
  Object.defineProperties(MessageEvent.prototype, ROUTING)
  // Before Node.js 22, its class string is that of Event.
  describeClass(MessageEvent, 'MessageEvent')
  return (to, data: string | Buffer | ArrayBuffer, isBinary: boolean) =>
    new MessageEvent(messageData(data, isBinary, to.socket.binaryType), webSocketOrigin(to.socket.url), to)
}

/** Text is always a string here, whatever the `textType`. Only web events contain a Blob. */
function messageData(
  data: string | Buffer | ArrayBuffer,
  isBinary: boolean,
  binaryType: string,
): string | Buffer | ArrayBuffer | Blob {
  if (!isBinary) return typeof data === 'string' ? data : (data as Buffer).toString()
  return binaryType === 'blob' ? new Blob([data]) : data
}

/** The origin of a normalized `ws:` URL: the text before the third slash. */
function webSocketOrigin(url: string): string {
  const end = url.indexOf('/', 'wss://'.length)
  return end === -1 ? '' : url.slice(0, end)
}

type EventInit = NonNullable<ConstructorParameters<typeof Event>[1]>

interface CloseEventInit extends EventInit {
  code?: number
  reason?: string
  wasClean?: boolean
}

type CloseEventClass = new (type: 'close', init: CloseEventInit) => Event

/** WHATWG's `CloseEvent` ({@link https://websockets.spec.whatwg.org/#closeevent}), for Node.js before 23, which lacks it. */
function plainCloseEvent(): CloseEventClass {
  class CloseEvent extends Event {
    readonly #code: number
    readonly #reason: string
    readonly #wasClean: boolean

    constructor(type: string, init: CloseEventInit = {}) {
      super(type, init)
      const { code = 0, reason = '', wasClean = false } = init
      this.#code = code
      this.#reason = reason
      this.#wasClean = wasClean
    }

    get wasClean(): boolean {
      return this.#wasClean
    }

    get code(): number {
      return this.#code
    }

    get reason(): string {
      return this.#reason
    }
  }
  describeClass(CloseEvent, 'CloseEvent')
  const enumerable = { enumerable: true }
  Object.defineProperties(CloseEvent.prototype, {
    wasClean: enumerable,
    code: enumerable,
    reason: enumerable,
  })
  return CloseEvent
}

function closeMaker(): EventMaker {
  const { CloseEvent: Base = plainCloseEvent() } = globalThis as { CloseEvent?: CloseEventClass }
  class CloseEvent extends Base {
    readonly [route]: Route
    readonly initiator: CloseDetails['initiator']
    readonly cause: Error | undefined
    readonly dropped: number

    constructor(init: CloseEventInit, { initiator, cause, dropped }: CloseDetails, to: Route) {
      super('close', init)
      this[route] = to
      this.initiator = initiator
      this.cause = cause
      this.dropped = dropped
    }
  }
  Object.defineProperties(CloseEvent.prototype, ROUTING)
  return (to, code: number, reason: string | Buffer, details: CloseDetails) =>
    new CloseEvent({ code, reason: reason.toString(), wasClean: details.wasClean }, details, to)
}

/** Sets the class string of instances. */
function describeClass(Class: { readonly prototype: object }, value: string): void {
  Object.defineProperty(Class.prototype, Symbol.toStringTag, { value, configurable: true })
}
