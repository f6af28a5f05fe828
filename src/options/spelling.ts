import { describe } from './describe.js'

/** Options of `node:http`, `node:net` and `node:tls`, which programs pass together with ours. */
const NODE_OPTIONS: ReadonlySet<string> = new Set(
  (
    'agent allowHalfOpen allowPartialTrustChain ALPNCallback ALPNProtocols auth autoSelectFamily ' +
    'autoSelectFamilyAttemptTimeout backlog blockList ca cert checkServerIdentity ciphers clientCertEngine ' +
    'connectionsCheckingInterval createConnection crl defaultPort dhparam ecdhCurve enableTrace exclusive family fd ' +
    'handshakeTimeout headers headersTimeout highWaterMark hints honorCipherOrder host hostname ' +
    'insecureHTTPParser IncomingMessage ipv6Only joinDuplicateHeaders keepAlive keepAliveInitialDelay ' +
    'keepAliveTimeout keepAliveTimeoutBuffer key localAddress localPort lookup maxCachedSessions maxHeaderSize ' +
    'maxHeadersCount maxRequestsPerSocket maxSockets maxFreeSockets maxTotalSockets maxVersion method minDHSize ' +
    'minVersion noDelay onread optimizeEmptyRequests passphrase path pauseOnConnect pfx port privateKeyEngine ' +
    'privateKeyIdentifier protocol pskCallback pskIdentityHint readableAll rejectNonStandardBodyWrites ' +
    'rejectUnauthorized requestCert requestOCSP requestTimeout reusePort scheduling secureContext secureOptions ' +
    'secureProtocol ServerResponse servername session sessionIdContext sessionTimeout setDefaultHeaders setHost ' +
    'shouldUpgradeCallback sigalgs signal SNICallback socket socketPath ticketKeys timeout uniqueHeaders writableAll'
  ).split(' '),
)

/**
 * Checks the names of options: one that differs from ours by case or one edit is a mistake, unless Node.js has an option
 * of that name. Other unknown options pass.
 *
 * @param within - the option that these are options of
 * @throws TypeError naming the option, its value and the right name
 */
export function checkNames(options: object, known: readonly string[], within?: string): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name) || NODE_OPTIONS.has(name)) continue
    const meant = known.find((option) => isAlmost(name, option))
    if (meant === undefined) continue
    const prefix = within === undefined ? '' : `${within}.`
    throw new TypeError(
      `There is no option ${prefix}${name} (given ${describe(value)}): write ${prefix}${meant}`,
    )
  }
}

/** Whether the names differ by case, or by one letter that is added, left out, changed or swapped with the next. */
function isAlmost(name: string, option: string): boolean {
  const [a, b] = [name.toLowerCase(), option.toLowerCase()]
  if (a === b) return true
  // Short names are too close to each other: `part` is not necessarily `port`.
  if (Math.abs(a.length - b.length) > 1 || b.length < 4) return false
  let start = 0
  while (start < a.length && a[start] === b[start]) start++
  const [restA, restB] = [a.slice(start), b.slice(start)]
  return (
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    restA.slice(1) === restB.slice(1) ||
    (restA.slice(2) === restB.slice(2) && restA.slice(0, 2) === restB.charAt(1) + restB.charAt(0))
  )
}
