/**
 * One turn of the event loop. What was written to a loopback socket before it has been read by a peer in this
 * same process after it, so that a turn between two writes makes two chunks of them at the peer.
 */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Turns enough for a peer in this process to have read what was written, to have answered, and for us to have read that. */
export async function settled(): Promise<void> {
  for (let count = 0; count < 16; count++) await turn()
}

/** Waits, turn by turn, until it is so. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await turn()
}
