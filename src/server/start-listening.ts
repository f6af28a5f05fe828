import type { ListenOptions, Server } from 'node:net'
import { toError } from '../options/thrown.js'

/**
 * Starts a server, and leaves no listener behind that would swallow its next error.
 *
 * @param onListening - called before the application's listeners, which may connect at once. If it throws, the server closes
 * @returns once the server listens, or was closed before; rejects with what prevents it
 */
export async function startListening(
  server: Server,
  where: ListenOptions,
  onListening: () => void = () => undefined,
): Promise<void> {
  let stopWatching = (): void => undefined
  const settled = new Promise<void>((resolve, reject) => {
    const listening = (): void => {
      try {
        onListening()
        resolve()
      } catch (error) {
        server.close()
        reject(toError(error))
      }
    }
    stopWatching = () => {
      server.off('listening', listening).off('error', reject).off('close', resolve)
    }
    server.prependListener('listening', listening).on('error', reject).on('close', resolve)
    server.listen(where)
  })
  await settled.finally(stopWatching)
}
