import type { Browser, JSHandle, Page } from 'playwright-core'
import type { WebSocket as StandardWebSocket } from 'undici'
import type { Close, PeerClient, PeerConnection } from './peer.js'

/** The state of one connection in the page. Binary messages are passed between the page and the test in base64. */
interface InPage {
  readonly socket: StandardWebSocket
  readonly opened: Promise<boolean>
  readonly closed: Promise<Close>
  /** Resolves to the messages since the last call, as soon as there are any. */
  take(): Promise<Carried[]>
}

type Carried = { readonly text: string } | { readonly base64: string }

/**
 * The WebSocket of Chromium, in a page of the server's own origin, because the server checks the origin.
 *
 * @param browser - called when the tests run
 */
export function chromiumClient(browser: () => Browser): PeerClient {
  let page: Page | undefined
  return {
    abilities: new Set(['bare close', '1005', 'inflate', 'deflate']),
    async open(url, protocols) {
      page ??= await pageAt(browser(), new URL('/', url.replace(/^ws/, 'http')))
      const handle = await page.evaluateHandle(openInPage, { url, protocols: [...protocols] })
      if (await handle.evaluate(({ opened }) => opened)) return drive(handle)
      throw new Error('Chromium did not connect; it tells no script why')
    },
  }
}

async function pageAt(browser: Browser, url: URL): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(url.href)
  return page
}

/** Runs in the page. */
function openInPage({ url, protocols }: { url: string; protocols: string[] }): InPage {
  const { WebSocket } = globalThis as unknown as { WebSocket: typeof StandardWebSocket }
  const socket = new WebSocket(url, protocols)
  socket.binaryType = 'arraybuffer'
  const received: Carried[] = []
  let wake = (): void => {}
  socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) => {
    if (typeof data === 'string') received.push({ text: data })
    else
      received.push({
        base64: btoa(Array.from(new Uint8Array(data), (byte) => String.fromCharCode(byte)).join('')),
      })
    wake()
  })
  return {
    socket,
    opened: new Promise((resolve) => {
      socket.addEventListener('open', () => {
        resolve(true)
      })
      socket.addEventListener('error', () => {
        resolve(false)
      })
    }),
    closed: new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => {
        resolve({ code, reason })
      })
    }),
    async take() {
      while (received.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return received.splice(0)
    },
  }
}

/** Calls into the page are slow, so messages are passed in batches. */
async function drive(handle: JSHandle<InPage>): Promise<PeerConnection> {
  const agreed = await handle.evaluate(({ socket }) => ({
    protocol: socket.protocol,
    extensions: socket.extensions,
  }))
  const calls: Promise<void>[] = []
  const toSend: Carried[] = []
  const received: Carried[] = []

  const flush = (): void => {
    const call = handle.evaluate(({ socket }, messages: Carried[]) => {
      for (const message of messages) {
        if ('text' in message) socket.send(message.text)
        else socket.send(Uint8Array.from(atob(message.base64), (character) => character.charCodeAt(0)))
      }
    }, toSend.splice(0))
    calls.push(call)
  }
  const unsupported = (): never => {
    throw new Error('no script in a page can do this')
  }
  return {
    ...agreed,
    closed: handle.evaluate((connection) => connection.closed),
    send(message) {
      if (toSend.length === 0) queueMicrotask(flush)
      toSend.push(typeof message === 'string' ? { text: message } : { base64: message.toString('base64') })
    },
    sendFragments: unsupported,
    ping: unsupported,
    async nextMessage() {
      if (received.length === 0) received.push(...(await handle.evaluate((connection) => connection.take())))
      const message = received.shift()!
      return 'text' in message ? message.text : Buffer.from(message.base64, 'base64')
    },
    close(code, reason) {
      const call = handle.evaluate(
        ({ socket }, close) => {
          socket.close(close.code, close.reason)
        },
        { code, reason },
      )
      calls.push(call)
    },
    async settled() {
      await Promise.all(calls)
    },
  }
}
