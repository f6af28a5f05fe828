/** WHATWG's names for mistakes in the use of its interface. */
type WebErrorName = 'InvalidAccessError' | 'InvalidStateError' | 'SyntaxError'

/** Creates the error for a mistake, given the error that is thrown elsewhere and the name in WHATWG's standard. */
export type ErrorForm = (error: Error, name: WebErrorName) => Error

/** The DOMException of WHATWG's standard. */
export function asDOMException(error: Error, name: WebErrorName): DOMException {
  return new DOMException(error.message, name)
}
