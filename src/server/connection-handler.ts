import { connectionOf, failHandler, holdUntil, type WebSocket } from '../websocket/websocket.js'

/**
 * Calls a handler of the application for a new connection. Messages wait while a promise that it returns is pending. If
 * it throws or rejects, the connection closes with 1011.
 *
 * @returns whether it returned, a promise included
 */
export function callHandler<User>(webSocket: WebSocket<User>, handler: () => unknown): boolean {
  let result: unknown
  try {
    result = handler()
  } catch (error) {
    failHandler(webSocket, error)
    return false
  }
  // Otherwise its rejection is unhandled, like that of any other promise.
  const isHandled = connectionOf(webSocket)?.settings.preset.handlerFailure === 'close'
  if (isHandled && isThenable(result)) {
    const settled = Promise.resolve(result)
    holdUntil(webSocket, settled)
    settled.catch((error: unknown) => {
      failHandler(webSocket, error)
    })
  }
  return true
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
}
