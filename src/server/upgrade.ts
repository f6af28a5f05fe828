import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  type Compression,
  compressionFor,
  type ConnectionSettings,
  type Established,
} from '../connection/settings.js'
import { ignore } from '../options/ignore.js'
import { acceptanceLines, HandshakeError, joinLines, type Opening } from '../protocol/handshake.js'
import type { Extension } from '../protocol/header-grammar.js'
import {
  acceptOffer,
  PERMESSAGE_DEFLATE,
  type PerMessageDeflateOptions,
} from '../protocol/permessage-deflate.js'
import type { Params } from '../websocket/accepted-client.js'
import { startAccepted, type WebSocket } from '../websocket/websocket.js'
import type { Admission, Admitted } from './admission/admission.js'
import { GONE } from './admission/authentication.js'
import { pathNotFound, Refusal, refusalFor, RETRY_AFTER } from './admission/refusal.js'
import { callHandler } from './connection-handler.js'
import { readUpgrade, writeRefusal } from './http1-upgrade.js'
import { chooseSubprotocol, type HandleProtocols } from './subprotocol-choice.js'

/** What a server decides about its opening handshakes, and the events that it receives from them. */
export interface UpgradeServer<User> {
  readonly admission: Admission<User>
  readonly settings: ConnectionSettings
  readonly deflate: PerMessageDeflateOptions | undefined
  readonly handleProtocols: HandleProtocols | undefined
  isAccepting(): boolean
  /** The params of the path, or `undefined` if the request is not for this server. May throw. */
  match(request: IncomingMessage): Params | undefined
  /** May throw. */
  createSocket(): WebSocket<User>
  /** The lines of the 101 response are about to be sent. May throw. */
  onHeaders(lines: string[], request: IncomingMessage): void
  /** Returns whether the application responds to a malformed handshake itself. May throw. */
  onMalformed(error: HandshakeError, socket: Duplex, request: IncomingMessage): boolean
  onAccepted(webSocket: WebSocket<User>, request: IncomingMessage): void
  onRefused(refusal: Refusal, request: IncomingMessage): void
  /** A check of the application failed. */
  onFailure(failure: unknown): void
}

/** Called with an open connection. */
export type UpgradeCallback<User> = (webSocket: WebSocket<User>, request: IncomingMessage) => unknown

/** Marks a socket on which a handshake has begun. A WeakSet of them would take 4 µs a handshake. */
const TAKEN = Symbol('hubwire.taken')

/** The opening handshake of a server (RFC 6455 section 4.2), which ends in an open connection or a complete refusal. */
export class Upgrade<User> {
  readonly #server: UpgradeServer<User>
  readonly #request: IncomingMessage
  readonly #socket: Duplex
  readonly #head: Buffer
  readonly #callback: UpgradeCallback<User>
  #isAnswered = false

  /** @throws Error if a handshake has begun on this socket before */
  constructor(
    server: UpgradeServer<User>,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    callback: UpgradeCallback<User>,
  ) {
    const mark = socket as Duplex & { [TAKEN]?: true }
    if (mark[TAKEN] === true) {
      throw new Error(
        'handleUpgrade() was called more than once with the same socket: is there a second upgrade listener?',
      )
    }
    mark[TAKEN] = true
    this.#server = server
    this.#request = request
    this.#socket = socket
    this.#head = head
    this.#callback = callback
  }

  start(): void {
    if (this.#socket.destroyed) return
    // From the first moment, so that a reset finds a listener while checks are pending or a refusal is flushed.
    this.#socket.on('error', ignore)
    // A client that has sent FIN can still read the response.
    this.#socket.allowHalfOpen = true
    // Do this before the FIN is read: after it, the stream would not accept the bytes.
    if (this.#head.length > 0) this.#socket.unshift(this.#head)
    this.#attempt(() => {
      this.#check()
    })
  }

  #check(): void {
    let opening: Opening
    try {
      opening = readUpgrade(this.#request, this.#server.settings.preset.accepting.requests)
    } catch (error) {
      this.#fail(error)
      return
    }
    const params = this.#server.match(this.#request)
    const { statusOfPath } = this.#server.settings.preset.accepting
    if (params === undefined) this.#refuse(pathNotFound(statusOfPath))
    else if (!this.#server.isAccepting()) this.#refuse(shuttingDown())
    else this.#admit(opening, params)
  }

  #admit(opening: Opening, params: Params): void {
    const { dropsEndedClients } = this.#server.settings.preset.accepting
    const decided = (decision: Admitted<User> | Refusal | typeof GONE): void => {
      const isDropped = decision === GONE || (dropsEndedClients && !this.#socket.readable)
      if (isDropped) this.#socket.destroy()
      else if (!this.#server.isAccepting()) this.#refuse(shuttingDown())
      else if (decision instanceof Refusal && decision.closeCode === undefined) this.#refuse(decision)
      else this.#accept(opening, params, decision)
    }
    const decision = this.#server.admission.admit(this.#request, this.#socket)
    if (decision instanceof Promise) {
      decision.then(
        (late) => {
          this.#attempt(() => {
            decided(late)
          })
        },
        (error: unknown) => {
          this.#fail(error)
        },
      )
    } else decided(decision)
  }

  #accept(opening: Opening, params: Params, decision: Admitted<User> | Refusal): void {
    // Everything that can fail in the application's code runs before the first byte of the response is sent.
    const { deflate, settings } = this.#server
    if (deflate !== undefined && settings.preset.accepting.refusesBadOffers)
      checkOffers(opening.extensions, deflate)
    const { established, response } = this.#establish(opening)
    const webSocket = this.#server.createSocket()
    if (this.#socket.destroyed) return
    this.#isAnswered = true
    this.#socket.write(response, 'latin1')
    this.#socket.off('error', ignore)
    const { user, forwardedAddress } = decision instanceof Refusal ? NOBODY : decision
    startAccepted(webSocket, established, { params, forwardedAddress, user: user as User })
    this.#server.onAccepted(webSocket, this.#request)
    if (decision instanceof Refusal) {
      this.#server.onRefused(decision, this.#request)
      webSocket.close(decision.closeCode, decision.closeReason)
    } else callHandler(webSocket, () => this.#callback(webSocket, this.#request))
  }

  /**
   * Chooses the subprotocol and the extensions.
   *
   * @throws what the application throws, or an error for an invalid choice
   */
  #establish(opening: Opening): { established: Established; response: string } {
    const { settings, deflate, handleProtocols } = this.#server
    const { takesTruthyAnswers } = settings.preset.accepting
    const protocol = chooseSubprotocol(opening.protocols, this.#request, handleProtocols, takesTruthyAnswers)
    const accepted = deflate && acceptOffer(opening.extensions, deflate)
    const lines = acceptanceLines({ key: opening.key, protocol, extensions: accepted?.answer ?? '' })
    this.#server.onHeaders(lines, this.#request)
    const response = joinLines(lines)
    const compression: Compression | undefined =
      accepted && compressionFor(accepted.parameters, 'server', deflate)
    return {
      established: { socket: this.#socket, head: NOTHING, protocol, compression, settings },
      response,
    }
  }

  #refuseMalformed(error: HandshakeError): void {
    const { status, headers, message } = error
    const refusal = refusalFor('handshake', status, { headers, body: `${message}\n` })
    this.#server.onRefused(refusal, this.#request)
    let isTakenOver = false
    try {
      isTakenOver = this.#server.onMalformed(error, this.#socket, this.#request)
    } catch (failure) {
      this.#server.onFailure(failure)
    }
    if (isTakenOver) this.#server.admission.refused(this.#socket)
    else this.#end(refusal)
  }

  #attempt(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** A check of the application failed. The client gets no details. */
  #fail(failure: unknown): void {
    if (failure instanceof HandshakeError) {
      this.#refuseMalformed(failure)
      return
    }
    this.#server.onFailure(failure)
    this.#refuse(refusalFor('error', 500, { body: 'The server failed to answer the handshake\n' }))
  }

  #refuse(refusal: Refusal): void {
    if (this.#socket.destroyed) return
    this.#server.onRefused(refusal, this.#request)
    this.#end(refusal)
  }

  /** Every handshake that is not accepted ends here. After a 101 no other response can be sent. */
  #end(refusal: Refusal): void {
    if (this.#isAnswered || this.#socket.writableEnded) {
      this.#socket.destroy()
      return
    }
    this.#isAnswered = true
    this.#server.admission.refused(this.#socket)
    writeRefusal(this.#socket, refusal, this.#server.settings.closeTimeout)
  }
}

const NOTHING = Buffer.alloc(0)
const NOBODY = { user: undefined, forwardedAddress: undefined }

/** @throws HandshakeError if there are offers of permessage-deflate, and none that can be accepted */
function checkOffers(extensions: readonly Extension[], deflate: PerMessageDeflateOptions): void {
  const isOffered = extensions.some(({ name }) => name === PERMESSAGE_DEFLATE)
  if (!isOffered || acceptOffer(extensions, deflate) !== undefined) return
  throw new HandshakeError(400, 'No offer of permessage-deflate can be accepted')
}

function shuttingDown(): Refusal {
  const body = 'The server is shutting down\n'
  return refusalFor('shutdown', 503, { body, headers: { 'Retry-After': RETRY_AFTER } })
}
