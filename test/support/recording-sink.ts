import { Decoder, type DecoderOptions, type DecoderSink, type ProtocolError } from 'hubwire/protocol'

/** One call of a sink. */
export type Found =
  | { readonly text: string | Buffer }
  | { readonly binary: Buffer }
  | { readonly ping: Buffer }
  | { readonly pong: Buffer }
  | { readonly close: readonly [code: number, reason: string] }
  | { readonly error: readonly [code: string, closeCode: number] }

/** Records what a decoder finds, in order. */
export class RecordingSink implements DecoderSink {
  readonly found: Found[] = []
  readonly errors: ProtocolError[] = []
  /** How many events had been found at each call of `onReadingOn`. */
  readonly readOnAt: number[] = []
  readonly #react: (found: Found) => void

  /** @param react - what happens within the sink, after the event is recorded */
  constructor(react: (found: Found) => void = () => {}) {
    this.#react = react
  }

  /** What was found, as strings: they compare quickly, however long they are. */
  get transcript(): string[] {
    return this.found.map(describe)
  }

  onMessage(data: string | Buffer, isBinary: boolean): void {
    this.#record(isBinary ? { binary: data as Buffer } : { text: data })
  }

  onPing(payload: Buffer): void {
    this.#record({ ping: payload })
  }

  onPong(payload: Buffer): void {
    this.#record({ pong: payload })
  }

  onClose(code: number, reason: string): void {
    this.#record({ close: [code, reason] })
  }

  onProtocolError(error: ProtocolError): void {
    this.errors.push(error)
    this.#record({ error: [error.code, error.closeCode] })
  }

  onReadingOn(): void {
    this.readOnAt.push(this.found.length)
  }

  #record(found: Found): void {
    this.found.push(found)
    this.#react(found)
  }
}

/** An event as a string. */
export function describe(found: Found): string {
  const [kind, value] = Object.entries(found)[0] as [string, string | Buffer | readonly [unknown, unknown]]
  if (Buffer.isBuffer(value)) return `${kind} of bytes ${value.toString('hex')}`
  return typeof value === 'string' ? `${kind} ${value}` : `${kind} ${value.join(' ')}`
}

/** What a decoder finds in these chunks. */
export function decoded(chunks: readonly Buffer[], options: Partial<DecoderOptions> = {}): Found[] {
  const sink = new RecordingSink()
  const decoder = new Decoder(sink, { from: 'client', ...options })
  for (const chunk of chunks) decoder.push(chunk)
  return sink.found
}
