/** An async listener that rejects, which the types of an emitter do not know though the emitter catches it. */
export function rejecting(error: Error): () => void {
  const listener = async (): Promise<never> => {
    throw error
  }
  return listener
}
