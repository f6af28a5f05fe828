import type { IncomingMessage } from 'node:http'
import { checkNoPromise } from '../options/checks.js'
import { describe } from '../options/describe.js'
import { withoutSecrets } from './admission/credentials.js'

/**
 * Chooses one of the offered subprotocols, or none with `false` or `undefined`. It is synchronous: a promise, or a name
 * that was not offered, causes a 500.
 */
export type HandleProtocols = (protocols: Set<string>, request: IncomingMessage) => string | false | undefined

/**
 * The subprotocol to respond with, or `''`; the client's first unless the application chooses.
 *
 * @param takesAny - whether any choice of the application is sent, as `ws` does
 * @throws TypeError if the application chooses one that the client did not offer, or returns a promise
 */
export function chooseSubprotocol(
  protocols: Set<string>,
  request: IncomingMessage,
  handleProtocols: HandleProtocols | undefined,
  takesAny: boolean,
): string {
  const offered = withoutSecrets(protocols, request)
  if (offered.size === 0) return ''
  if (handleProtocols === undefined) return offered.values().next().value ?? ''
  // A function in JavaScript may return anything.
  const chosen: unknown = handleProtocols(offered, request)
  if (chosen === false || chosen === undefined || chosen === null) return ''
  if (typeof chosen === 'string' && (takesAny || offered.has(chosen))) return chosen
  checkNoPromise('handleProtocols', chosen)
  const names = [...offered].map((name) => describe(name)).join(', ')
  throw new TypeError(
    `handleProtocols must return one of the offered subprotocols (${names}), or false for none; it returned ` +
      describe(chosen),
  )
}
