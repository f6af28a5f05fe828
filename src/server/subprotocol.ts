import type { IncomingMessage } from 'node:http'
import { withoutSecrets } from './admission/credentials.js'

/** Chooses a subprotocol, `false` for none. */
export type HandleProtocols = (protocols: Set<string>, request: IncomingMessage) => string | false

/**
 * The subprotocol to answer with, or `''`; the client's first where nobody chooses.
 *
 * @throws TypeError when one was chosen that the client did not offer
 */
export function chooseSubprotocol(
  protocols: Set<string>,
  request: IncomingMessage,
  handleProtocols: HandleProtocols | undefined,
): string {
  const offered = withoutSecrets(protocols, request)
  if (offered.size === 0) return ''
  if (handleProtocols === undefined) return offered.values().next().value ?? ''
  const chosen = handleProtocols(offered, request)
  if (chosen === false || offered.has(chosen)) return chosen || ''
  throw new TypeError(`handleProtocols chose ${JSON.stringify(chosen)}, which the client did not offer`)
}
