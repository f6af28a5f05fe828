import { ignore } from '../options/ignore.js'
import { HUBWIRE_PRESET, type Preset, PRESET, type PresetOptions } from '../connection/preset.js'
import type { PerMessageDeflateOptions } from '../protocol/permessage-deflate.js'
import { withoutNulls } from '../options/checks.js'
import { toErrorEvent } from './errors.js'

/** Options as programs for `ws` pass them. */
export interface GivenOptions extends PresetOptions {
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions | null | undefined
  readonly allowSynchronousEvents?: boolean | null | undefined
  readonly autoPong?: boolean | null | undefined
}

/** How `ws` behaves. */
const WS_PRESET: Preset = {
  ...HUBWIRE_PRESET,
  checksOptions: false,
  errorForm: (error) => error,
  handlerFailure: 'throw',
  errorEvents: 'always',
  toErrorEvent,
  explainsMistakes: false,
  earlyMessages: 'drop',
  readsAhead: false,
  closeReason: 'buffer',
  binaryForms: {
    ...HUBWIRE_PRESET.binaryForms,
    blob: (data) => new Blob([data]),
    fragments: (data) => [data],
  },
  answerPing: (socket, payload) => {
    // The peer may have left.
    ;(socket as PongSender).pong(payload, undefined, ignore)
  },
  limitsSlowPeers: false,
  accepting: {
    requests: { versions: ['13', '8'], statusOfVersion: 400, requiresHttp11: false },
    statusOfPath: 400,
    refusesOtherProtocols: true,
    refusesBadOffers: true,
    takesTruthyAnswers: true,
    dropsEndedClients: true,
    keepsHttpTimeouts: true,
    awaitsUntracked: false,
  },
  opening: { protocolVersion: '13', ignoresCase: false, refusals: 'status-only', redirects: 'as-curl' },
}

interface PongSender {
  pong(data: Buffer, mask: undefined, callback: () => void): void
}

const DEFAULTS = {
  maxPayload: 100 * 1024 * 1024,
  heartbeat: false,
  controlFrameRate: false,
  textType: 'buffer',
  handshakeTimeout: 0,
} as const

/** The defaults and the preset of both ends. */
function commonOptions(given: GivenOptions, changes: Partial<Preset>): GivenOptions {
  const options = withoutNulls(given)
  const allowsSynchronousEvents = options.allowSynchronousEvents !== false
  const preset = { ...WS_PRESET, ...changes, allowsSynchronousEvents }
  return { ...DEFAULTS, ...options, [PRESET]: preset }
}

/** Completes the options of a client. */
export function clientOptions(given: GivenOptions, opening: Partial<Preset['opening']>): GivenOptions {
  const options = commonOptions(given, { opening: { ...WS_PRESET.opening, ...opening } })
  return { ...options, perMessageDeflate: deflate(given.perMessageDeflate ?? true) }
}

/** Completes the options of a server. */
export function serverOptions(given: GivenOptions): GivenOptions {
  const options = commonOptions(given, {})
  const anyOrigin = { origins: '*' }
  return { ...anyOrigin, ...options, perMessageDeflate: deflate(given.perMessageDeflate ?? false) }
}

/** `ws` takes the context over from message to message unless that is turned off. */
function deflate(given: boolean | PerMessageDeflateOptions): false | PerMessageDeflateOptions {
  if (given === false) return false
  const options = given === true ? {} : withoutNulls(given)
  // `ws` also takes booleans for both, which set no number.
  for (const name of ['clientMaxWindowBits', 'serverMaxWindowBits'] as const)
    if (typeof options[name] === 'boolean') Reflect.deleteProperty(options, name)
  const { clientMaxWindowBits: bits } = options
  return {
    ...options,
    // zlib cannot compress with a window of 8 bits, and a receiver needs 9 bits for its window of 9.
    ...(typeof bits === 'number' ? { clientMaxWindowBits: Math.max(9, bits) } : {}),
    serverNoContextTakeover: options.serverNoContextTakeover === true,
    clientNoContextTakeover: options.clientNoContextTakeover === true,
  }
}
