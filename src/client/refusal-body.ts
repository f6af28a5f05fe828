import type { IncomingMessage } from 'node:http'

/** The most bytes that are read of the body of a refusal. */
const MOST = 4096

/** Milliseconds that a peer has to send it, so that a slow peer does not delay the failure. */
const PATIENCE = 1000

/**
 * Reads the first 4 KiB of a body, and calls back once: at its end, when 4 KiB have arrived, or after a second.
 *
 * @returns a function that stops reading and calls back with the part that has arrived
 */
export function readBody(response: IncomingMessage, callback: (body: string) => void): () => void {
  const chunks: Buffer[] = []
  let length = 0
  let isDone = false
  const finish = (): void => {
    if (isDone) return
    isDone = true
    clearTimeout(timer)
    // An incomplete character at the end is left out.
    const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, MOST), { stream: true })
    callback(text)
  }
  const timer = setTimeout(finish, PATIENCE)
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    length += chunk.length
    if (length >= MOST) finish()
  })
  // If the body is cut off, the part that arrived is used.
  response.once('end', finish).once('close', finish).on('error', finish)
  return finish
}
