import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * The ports below those that operating systems give to connections and to `listen(0)` (from 32,768 on Linux, from 49,152
 * on others): between the choice and its use, no other test can be given the port by chance.
 */
const [LOWEST, HIGHEST] = [10_000, 32_767]

/** A free TCP port on 127.0.0.1, for programs that cannot choose one themselves and print it. */
export async function freePort(): Promise<number> {
  const port = randomInt(LOWEST, HIGHEST + 1)
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return await freePort()
  }
  server.close()
  await once(server, 'close')
  return port
}
