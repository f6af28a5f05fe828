import { build } from 'esbuild'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('../../src/browser/index.ts', import.meta.url))

/**
 * The page of the tests: `start(url, options)` makes a client, whose states are then in `names`, with details in `states`,
 * and whose messages are in `messages`. `lives` counts how often the page was made, and `returns` how often it was shown again.
 */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>A page</title>
<script type="module">
import { ReconnectingWebSocket, webSocketUrl } from '/hubwire/browser.js'
Object.assign(window, {
  states: [], names: [], messages: [], returns: 0, webSocketUrl,
  make: (url, options) => new ReconnectingWebSocket(url, options),
  start(url, options = {}) {
    window.socket = make(url, { delay: { min: 50, first: 200, max: 500 }, connectTimeout: 5000, ...options })
    states.push(socket.status)
    names.push(socket.status.state)
    socket.addEventListener('state', () => { states.push(socket.status); names.push(socket.status.state) })
    socket.addEventListener('message', ({ data }) => messages.push(data))
  },
})
addEventListener('pageshow', ({ persisted }) => { if (persisted) returns++ })
window.isReady = true
</script>`

/** Serves the page, with the client bundled for browsers, at every path, and the bundle. */
export async function servePage(): Promise<{ url: string; server: Server }> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  })
  const client = outputFiles[0]!.text
  const server = createServer(({ url }, response) => {
    const isClient = url === '/hubwire/browser.js'
    response.setHeader('Content-Type', isClient ? 'text/javascript' : 'text/html')
    response.end(isClient ? client : PAGE)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}
