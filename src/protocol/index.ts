/// <reference types="node" preserve="true" />
/**
 * RFC 6455 and RFC 7692 without sockets, timers or event emitters: bytes in, messages and control frames out, bytes
 * back.
 *
 * @packageDocumentation
 */
export { CloseCode, encodeClose, isValidCloseCode } from './close-codes.js'
export { Decoder, type DecoderOptions, type DecoderSink } from './decoder.js'
export { ProtocolError, type ProtocolErrorCode } from './errors.js'
export { encodeFrame, type FrameOptions, headerLength, writeHeader } from './frames.js'
export {
  type Acceptance,
  acceptanceLines,
  acceptKey,
  generateKey,
  HandshakeError,
  type HandshakeErrorCode,
  type HandshakeErrorDetails,
  joinLines,
  type Offered,
  type Opening,
  type OpeningRequest,
  type OpeningResponse,
  readRequest,
  readResponse,
} from './handshake.js'
export {
  type Extension,
  formatExtension,
  HeaderSyntaxError,
  parseExtensions,
  parseSubprotocols,
} from './header-grammar.js'
export { mask } from './masking.js'
export { type DeflaterSettings, MessageDeflater } from './message-deflater.js'
export { type InflaterSettings, MessageInflater } from './message-inflater.js'
export { Opcode } from './opcodes.js'
export {
  acceptOffer,
  type DeflateParameters,
  formatOffer,
  type PerMessageDeflateOptions,
  readAnswer,
} from './permessage-deflate.js'
export { Utf8Validator } from './utf8.js'
