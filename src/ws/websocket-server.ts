import type { Server } from 'node:http'
import type { WebSocketServerOptions } from '../server/server-options.js'
import { httpServerOf, WebSocketServer as CoreServer } from '../server/websocket-server.js'
import { serverOptions, type GivenOptions } from './defaults.js'
import { WebSocket } from './websocket.js'

/** The `WebSocketServer` of the package `ws`. */
export class WebSocketServer extends CoreServer<unknown> {
  constructor(options?: (GivenOptions & WebSocketServerOptions<unknown>) | null, callback?: () => void) {
    super({ WebSocket, ...serverOptions(options ?? {}) } as WebSocketServerOptions<unknown>, callback)
  }

  #isClosed = false

  /** The HTTP server that it listens to. */
  get _server(): Server | undefined {
    return httpServerOf(this as unknown as CoreServer)
  }

  override close(callback?: ((error?: Error) => void) | null): void {
    if (this.#isClosed) {
      process.nextTick(() => {
        callback?.(new Error('The server is not running'))
        this.emit('close')
      })
      return
    }
    super.close((error) => {
      this.#isClosed = true
      callback?.(error)
    })
  }

  /** The path whose requests it handles; `null` for all. */
  get path(): unknown {
    return this.options.path ?? null
  }
}
