/** An async listener that rejects. The types of an emitter do not allow it, although the emitter catches the rejection. */
export function rejecting(error: Error): () => void {
  const listener = async (): Promise<never> => {
    throw error
  }
  return listener
}
