/** The consumed items at its front at which a queue is shortened, if they are half of it: amortised constant time. */
const SHORTEN_FROM = 64

/** First in, first out, in linear time: `Array.shift` on a long array moves all of it. */
export class Queue<Item> {
  readonly #items: (Item | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  /** The next item, if there is one. */
  get first(): Item | undefined {
    return this.#items[this.#head]
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.length === 0) {
      this.#items.length = 0
      this.#head = 0
    } else if (this.#head >= SHORTEN_FROM && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }
}
