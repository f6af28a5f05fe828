import type { Browser, JSHandle, Page } from 'playwright-core'
import type { WebSocket as StandardWebSocket } from 'undici'
import type { Close, PeerClient, PeerConnection } from './peer.js'

/** What a script in the page holds of one connection; binary messages travel between the page and us in base64. */
interface InPage {
  readonly socket: StandardWebSocket
  readonly opened: Promise<boolean>
  readonly closed: Promise<Close>
  next(): Promise<Carried>
}

type Carried = { readonly text: string } | { readonly base64: string }

/**
 * The WebSocket of Chromium, in a page of the server's own origin, since a server asks browsers for theirs.
 *
 * @param browser - asked for when the tests run
 */
export function chromiumClient(browser: () => Browser): PeerClient {
  return {
    abilities: new Set(['bare close', '1005', 'inflate', 'deflate']),
    async open(url, protocols) {
      const page = await browser().newPage()
      await page.goto(new URL('/', url.replace(/^ws/, 'http')).href)
      const handle = await page.evaluateHandle(openInPage, { url, protocols: [...protocols] })
      if (await handle.evaluate(({ opened }) => opened)) return drive(page, handle)
      await page.close()
      throw new Error('Chromium did not connect; it tells no script why')
    },
  }
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
        base64: btoa(Array.from(new Uint8Array(data), (octet) => String.fromCharCode(octet)).join('')),
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
    async next() {
      while (received.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return received.shift()!
    },
  }
}

async function drive(page: Page, handle: JSHandle<InPage>): Promise<PeerConnection> {
  const agreed = await handle.evaluate(({ socket }) => ({
    protocol: socket.protocol,
    extensions: socket.extensions,
  }))
  const closed = handle.evaluate((connection) => connection.closed)
  const unsupported = (): never => {
    throw new Error('no script in a page can do this')
  }
  return {
    ...agreed,
    closed: closed.finally(() => page.close()),
    send(message) {
      const carried = typeof message === 'string' ? { text: message } : { base64: message.toString('base64') }
      void handle.evaluate(({ socket }, data: Carried) => {
        if ('text' in data) socket.send(data.text)
        else socket.send(Uint8Array.from(atob(data.base64), (character) => character.charCodeAt(0)))
      }, carried)
    },
    sendFragments: unsupported,
    ping: unsupported,
    async nextMessage() {
      const carried = await handle.evaluate((connection) => connection.next())
      return 'text' in carried ? carried.text : Buffer.from(carried.base64, 'base64')
    },
    close(code, reason) {
      void handle.evaluate(
        ({ socket }, close) => {
          socket.close(close.code, close.reason)
        },
        { code, reason },
      )
    },
  }
}
