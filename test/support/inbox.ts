import type { WebSocket } from 'hubwire'
import { Queue } from './queue.js'

export type Data = string | Buffer | ArrayBuffer | Blob

/** Collects the messages of a socket from now on, in order. */
export function inbox(socket: Pick<WebSocket, 'on'>): Queue<Data> {
  const queue = new Queue<Data>()
  socket.on('message', (data) => {
    queue.push(data)
  })
  return queue
}

/** Resolves to the next `count` items of a queue. */
export async function take<Item>(queue: Queue<Item>, count: number): Promise<Item[]> {
  const items: Item[] = []
  while (items.length < count) items.push(await queue.next())
  return items
}
