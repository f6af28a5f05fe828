import { vi } from 'vitest'

/** What a page has on its global object, and Node.js has not. `vi.unstubAllGlobals()` takes it away. */
export class FakePage {
  readonly #target = new EventTarget()
  readonly navigator = { onLine: true }
  readonly document = { visibilityState: 'visible' }

  constructor() {
    vi.stubGlobal('navigator', this.navigator)
    vi.stubGlobal('document', this.document)
    vi.stubGlobal('addEventListener', this.#target.addEventListener.bind(this.#target))
    vi.stubGlobal('removeEventListener', this.#target.removeEventListener.bind(this.#target))
  }

  /** Tells the listeners of the page, as the browser does. */
  fire(type: 'online' | 'offline' | 'visibilitychange' | 'pageshow' | 'pagehide'): void {
    this.#target.dispatchEvent(new Event(type))
  }
}
