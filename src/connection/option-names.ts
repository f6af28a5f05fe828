/** The options of a connection in either role. */
const CONNECTION_OPTIONS: readonly string[] = [
  'perMessageDeflate',
  'maxPayload',
  'maxFragments',
  'closeTimeout',
  'maxBufferedAmount',
  'slowPolicy',
  'messageRate',
  'controlFrameRate',
  'heartbeat',
  'autoPong',
  'skipUTF8Validation',
  'textType',
]

/** The options of a server of its own. */
export const LISTEN_OPTIONS: readonly string[] = [
  'port',
  'host',
  'backlog',
  'unixPath',
  'unixMode',
  'takeover',
]

/** The options of a server. */
export const SERVER_OPTIONS: readonly string[] = [
  ...CONNECTION_OPTIONS,
  ...LISTEN_OPTIONS,
  'server',
  'noServer',
  'path',
  'handleProtocols',
  'clientTracking',
  'WebSocket',
  'origins',
  'trustProxy',
  'verifyClient',
  'authenticate',
  'handshakeTimeout',
  'maxConnections',
  'maxConnectionsPerAddress',
]

/** The options of a client. */
export const CLIENT_OPTIONS: readonly string[] = [
  ...CONNECTION_OPTIONS,
  'headers',
  'origin',
  'handshakeTimeout',
  'followRedirects',
  'maxRedirects',
  'signal',
  'generateMask',
]

/** The options that have options of their own, and their names. */
export const NESTED_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  perMessageDeflate: [
    'serverNoContextTakeover',
    'clientNoContextTakeover',
    'serverMaxWindowBits',
    'clientMaxWindowBits',
    'threshold',
    'zlibDeflateOptions',
  ],
  heartbeat: ['interval', 'timeout'],
  messageRate: ['perSecond', 'burst'],
  controlFrameRate: ['perSecond', 'burst'],
}
