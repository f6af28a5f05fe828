/** What WHATWG calls a mistake in the use of its interface. */
export type WebErrorName = 'InvalidAccessError' | 'InvalidStateError' | 'SyntaxError'

/** How such a mistake is thrown, given what is thrown for it elsewhere, and the name that WHATWG gives it. */
export type ErrorForm = (error: Error, name: WebErrorName) => Error

/** As WHATWG says. */
export function asDOMException(error: Error, name: WebErrorName): DOMException {
  return new DOMException(error.message, name)
}
