/**
 * One turn of the event loop. What was written to a loopback socket before it has been read by a peer in this
 * same process after it, so that a turn between two writes makes two chunks of them at the peer.
 */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Enough turns for a peer in this process to read what was written and to answer, and for us to read the answer. */
export async function settled(): Promise<void> {
  for (let count = 0; count < 16; count++) await turn()
}

/** Waits, turn by turn, until it is so. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await turn()
}
