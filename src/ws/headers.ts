import {
  type Extension,
  formatExtension,
  HeaderSyntaxError,
  parseExtensions,
  parseSubprotocols,
} from '../protocol/header-grammar.js'

type Value = string | number | true

/** The values of each parameter, by its name. */
type Parameters<Each> = Record<string, Each[]>

/** The form of `ws`: for each name, a list with the parameters of each occurrence. */
type Extensions = Record<string, Parameters<string | true>[]>

/** The argument of `extension.format`: a single element needs no array. */
type Formattable = Record<string, OneOrMore<Record<string, OneOrMore<Value>>>>
type OneOrMore<Each> = Each | readonly Each[]

/** The export `extension` of `ws`. */
export const extension = {
  /** Reads a Sec-WebSocket-Extensions header. @throws SyntaxError if it is malformed */
  parse(header: string): Extensions {
    const extensions = Object.create(null) as Extensions
    for (const { name, parameters } of orSyntaxError(() => parseExtensions(header))) {
      const values = Object.create(null) as Parameters<string | true>
      for (const [parameter, value] of parameters) (values[parameter] ??= []).push(value)
      ;(extensions[name] ??= []).push(values)
    }
    return extensions
  },

  /** Writes a Sec-WebSocket-Extensions header. */
  format(extensions: Formattable): string {
    return Object.entries(extensions)
      .flatMap(([name, each]) =>
        listOf(each).map((one) => formatExtension({ name, parameters: listed(one) })),
      )
      .join(', ')
  },
}

/** The export `subprotocol` of `ws`. */
export const subprotocol = {
  /** Reads a Sec-WebSocket-Protocol header. @throws SyntaxError if it is malformed or names one twice */
  parse(header: string): Set<string> {
    return orSyntaxError(() => parseSubprotocols(header))
  },
}

function listed(parameters: Record<string, OneOrMore<Value>>): Extension['parameters'] {
  return Object.entries(parameters).flatMap(([name, values]) =>
    listOf(values).map((value): [string, string | true] => [name, value === true ? true : String(value)]),
  )
}

function listOf<Each>(given: OneOrMore<Each>): readonly Each[] {
  return Array.isArray(given) ? (given as readonly Each[]) : [given as Each]
}

function orSyntaxError<Result>(read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    throw error instanceof HeaderSyntaxError ? new SyntaxError(error.message, { cause: error }) : error
  }
}
