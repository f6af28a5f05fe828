import { isUtf8 } from 'node:buffer'
import { settled } from '../support/event-loop.js'
import { opcode, type RawFrame, type ReceivedFrame } from '../support/raw-frame.js'
import type { RawPeer } from '../support/raw-peer.js'
import type { MessageDeflate } from './deflate.js'

export interface ReceivedEvent {
  readonly kind: 'text' | 'binary' | 'ping' | 'pong' | 'withheld part sent'
  readonly payload: Buffer
}

/** One connection of one case: sends frames, collects the answers, and records how the connection ended. */
export class Conversation {
  readonly events: ReceivedEvent[] = []
  /** Violations by the peer, and differences from the expected behaviour. */
  readonly faults: string[] = []
  closeSent = false
  /** We sent a Close frame before one had arrived. */
  closedByUs = false
  /** The peer did not drop the connection when it should have, so we did. */
  droppedByUs = false
  peerClose: { readonly code: number | undefined; readonly reason: string } | undefined

  readonly role: 'client' | 'server'
  readonly #peer: RawPeer
  readonly #deflate: MessageDeflate | undefined
  readonly #watchers = new Set<() => void>()
  readonly #patience: number
  #message: { kind: 'text' | 'binary'; compressed: boolean; parts: Buffer[] } | undefined
  #over = false

  /** @param patience - the longest wait in milliseconds, which decides a case only if the peer does not react */
  constructor(peer: RawPeer, role: 'client' | 'server', patience: number, deflate?: MessageDeflate) {
    this.#peer = peer
    this.role = role
    this.#patience = patience
    this.#deflate = deflate
    void this.#read()
  }

  /** The peer has ended its side. */
  get over(): boolean {
    return this.#over
  }

  /** The peer has begun or answered the closing handshake, or dropped the connection. */
  get left(): boolean {
    return this.#over || this.peerClose !== undefined
  }

  encode(frame: RawFrame): Buffer {
    // With a reserved bit it is not a valid Close frame but an error.
    if (frame.opcode === opcode.close && frame.rsv === 0) this.#closing()
    return this.#peer.encode(frame)
  }

  /** One write for all of them. */
  send(...frames: RawFrame[]): void {
    this.write(Buffer.concat(frames.map((frame) => this.encode(frame))))
  }

  write(bytes: Buffer): void {
    this.#peer.write(bytes)
  }

  async writeInPieces(bytes: Buffer, size: number): Promise<void> {
    await this.#peer.writeInPieces(bytes, size)
  }

  async sendMessage(kind: 'text' | 'binary', message: Buffer, fragmentSize: number): Promise<void> {
    const payload = (await this.#deflate?.deflate(message)) ?? message
    const size = fragmentSize > 0 ? fragmentSize : Math.max(1, payload.length)
    const count = Math.max(1, Math.ceil(payload.length / size))
    const frames = Array.from({ length: count }, (_, index) => ({
      opcode: index === 0 ? opcode[kind] : opcode.continuation,
      payload: payload.subarray(index * size, (index + 1) * size),
      fin: index === count - 1,
      rsv: index === 0 && this.#deflate !== undefined ? 4 : 0,
    }))
    this.send(...frames)
  }

  /** Resolves to true once the condition holds, and to false once it can no longer hold or the wait has timed out. */
  waitFor(condition: () => boolean, patience = this.#patience): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (held: boolean): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve(held)
      }
      const look = (): void => {
        if (condition()) finish(true)
        else if (this.#over) finish(false)
      }
      const timer = setTimeout(() => {
        // A busy event loop runs its timers before it reads what has already arrived.
        void settled().then(() => {
          finish(condition())
        })
      }, patience)
      this.#watchers.add(look)
      look()
    })
  }

  /** Ends the TCP connection from our side. */
  hangUp(): void {
    this.#peer.end()
  }

  release(): void {
    this.#peer.destroy()
    this.#deflate?.close()
  }

  #closing(): void {
    if (this.closeSent) return
    this.closeSent = true
    this.closedByUs = this.peerClose === undefined
  }

  async #read(): Promise<void> {
    for (let frame = await this.#peer.next(); frame !== undefined; frame = await this.#peer.next()) {
      try {
        this.#check(frame)
        await this.#take(frame)
      } catch (error) {
        this.faults.push(String(error))
      }
      this.#notify()
    }
    this.#over = true
    this.#notify()
  }

  #notify(): void {
    for (const look of this.#watchers) look()
  }

  #check(frame: ReceivedFrame): void {
    const control = frame.opcode >= 8
    const first = !control && frame.opcode !== opcode.continuation
    const rules: readonly (readonly [boolean, string])[] = [
      [frame.masked === (this.role === 'server'), 'masked by the wrong end'],
      [frame.minimalLength, 'a length not in its shortest form'],
      [!control || (frame.fin && frame.payload.length <= 125), 'a control frame too long or fragmented'],
      [frame.rsv === 0 || (frame.rsv === 4 && first && this.#deflate !== undefined), 'a reserved bit'],
      [frame.opcode !== opcode.close || frame.payload.length !== 1, 'half a status code'],
      [this.peerClose === undefined, 'a frame after the Close frame'],
    ]
    for (const [kept, rule] of rules) {
      if (!kept) this.faults.push(`the peer sent ${rule} (opcode ${frame.opcode})`)
    }
  }

  async #take(frame: ReceivedFrame): Promise<void> {
    switch (frame.opcode) {
      case opcode.text:
      case opcode.binary:
      case opcode.continuation:
        return this.#takeFragment(frame)
      case opcode.close:
        this.peerClose ??= {
          code: frame.payload.length < 2 ? undefined : frame.payload.readUInt16BE(0),
          reason: frame.payload.toString('utf8', 2),
        }
        return
      case opcode.ping:
        this.events.push({ kind: 'ping', payload: frame.payload })
        this.send({ opcode: opcode.pong, payload: frame.payload, fin: true, rsv: 0 })
        return
      case opcode.pong:
        this.events.push({ kind: 'pong', payload: frame.payload })
        return
      default:
        this.faults.push(`the peer sent the reserved opcode ${frame.opcode}`)
    }
  }

  async #takeFragment(frame: ReceivedFrame): Promise<void> {
    if ((frame.opcode === opcode.continuation) === (this.#message === undefined)) {
      this.faults.push(`the peer sent opcode ${frame.opcode} out of turn`)
      return
    }
    const kind = frame.opcode === opcode.text ? 'text' : 'binary'
    this.#message ??= { kind, compressed: frame.rsv === 4, parts: [] }
    const message = this.#message
    message.parts.push(frame.payload)
    if (!frame.fin) return
    this.#message = undefined
    const whole = message.parts.length === 1 ? frame.payload : Buffer.concat(message.parts)
    const payload = message.compressed ? ((await this.#deflate?.inflate(whole)) ?? whole) : whole
    if (message.kind === 'text' && !isUtf8(payload)) this.faults.push('the peer sent text that is not UTF-8')
    this.events.push({ kind: message.kind, payload })
  }
}
