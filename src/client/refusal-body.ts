import type { IncomingMessage } from 'node:http'

/** The most bytes that are read of the body of a refusal. */
const MOST = 4096

/** Milliseconds that a peer has to send it: the failure must not wait for a peer that sends it slowly, or never. */
const PATIENCE = 1000

/**
 * Reads the first 4 KiB of a body, and calls back once: when it has ended, when enough has come, or after a second.
 *
 * @returns a function that stops reading and calls back with what has come
 */
export function readBody(response: IncomingMessage, callback: (body: string) => void): () => void {
  const chunks: Buffer[] = []
  let length = 0
  let isDone = false
  const finish = (): void => {
    if (isDone) return
    isDone = true
    clearTimeout(timer)
    // What does not end within a character leaves it out.
    const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, MOST), { stream: true })
    callback(text)
  }
  const timer = setTimeout(finish, PATIENCE)
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    length += chunk.length
    if (length >= MOST) finish()
  })
  // A body that breaks off is read as far as it came.
  response.once('end', finish).once('close', finish).on('error', finish)
  return finish
}
