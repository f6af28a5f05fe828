/**
 * Named events over messages: `["chat", {...}]`, and `["chat", {...}, 7]` asks for the acknowledgement `["ack", result, 7]`.
 *
 * @param {import('hubwire').WebSocket} socket
 * @param {Record<string, (data: any) => unknown>} handlers - by event; what one returns is the acknowledgement
 */
export function handle(socket, handlers) {
  socket.on('message', async (message, isBinary) => {
    if (isBinary) throw new Error('Events are text')
    const [event, data, id] = JSON.parse(message)
    if (!Object.hasOwn(handlers, event)) throw new Error(`There is no event ${JSON.stringify(event)}`)
    const result = await handlers[event]?.(data)
    if (id !== undefined) socket.send(JSON.stringify(['ack', result ?? null, id]))
  })
}

/** @param {string} event @param {unknown} data */
export const encode = (event, data) => JSON.stringify([event, data])
