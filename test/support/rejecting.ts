/** An async listener that rejects, which the types of an emitter do not know though the emitter catches it. */
export function rejecting(error: unknown): () => void {
  const listener = (): Promise<never> => Promise.reject(error)
  return listener
}
