/** What was pushed, in order, for whoever asks: an item that is there at once, or the next one that comes. */
export class Queue<Item> {
  readonly #items: Item[] = []
  readonly #waiting: ((item: Item) => void)[] = []

  push(item: Item): void {
    const taker = this.#waiting.shift()
    if (taker === undefined) this.#items.push(item)
    else taker(item)
  }

  next(): Promise<Item> {
    const item = this.#items.shift()
    if (item !== undefined) return Promise.resolve(item)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }
}
