/** The states of a connection, at the index of their value. */
const READY_STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const

/** The members of WHATWG's interface besides the constants. */
const MEMBERS = [
  'url',
  'readyState',
  'bufferedAmount',
  'onopen',
  'onerror',
  'onclose',
  'extensions',
  'protocol',
  'close',
  'onmessage',
  'binaryType',
  'send',
]

/**
 * Gives a class the form that Web IDL prescribes for an interface ({@link
 * https://webidl.spec.whatwg.org/#interface-prototype-object}): constants that cannot be changed, on the class and for
 * instances, enumerable members, and a class string.
 */
export function describeInterface(WebSocket: { readonly prototype: object }): void {
  const { prototype } = WebSocket
  for (const [value, name] of READY_STATES.entries()) {
    Object.defineProperty(WebSocket, name, { value, enumerable: true })
    Object.defineProperty(prototype, name, { value, enumerable: true })
  }
  for (const name of MEMBERS) {
    const descriptor = descriptorOf(prototype, name)
    Object.defineProperty(prototype, name, { ...descriptor, enumerable: true })
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: 'WebSocket', configurable: true })
}

function descriptorOf(prototype: object, name: string): PropertyDescriptor | undefined {
  return (
    Object.getOwnPropertyDescriptor(prototype, name) ??
    descriptorOf(Object.getPrototypeOf(prototype) as object, name)
  )
}

/** Why a message was not sent. */
export function notOpenError(readyState: number): Error {
  return new Error(
    `WebSocket is not open: readyState ${readyState} (${String(READY_STATES[readyState])})` +
      (readyState === 0 ? ". Wait for 'open', or use connect()" : ''),
  )
}
