import type { Member } from '../hub/member.js'

/** Calls `abort` when the signal is aborted, or at once if it already is, unless the socket has closed before. */
export function onAbort(
  socket: Pick<Member, 'onceClosed'>,
  signal: AbortSignal | undefined,
  abort: (reason: unknown) => void,
): void {
  if (signal === undefined) return
  const listener = (): void => {
    abort(signal.reason)
  }
  if (signal.aborted) {
    listener()
    return
  }
  signal.addEventListener('abort', listener, { once: true })
  socket.onceClosed(() => {
    signal.removeEventListener('abort', listener)
  })
}
