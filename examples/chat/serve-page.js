import { readFileSync } from 'node:fs'

const files = new Map([
  ['/', file('index.html', 'text/html')],
  ['/chat.css', file('chat.css', 'text/css')],
  ['/chat.js', file('chat.js', 'text/javascript')],
  ['/reconnecting-socket.js', file('reconnecting-socket.js', 'text/javascript')],
  ['/icon.svg', file('icon.svg', 'image/svg+xml')],
])
const notFound = {
  status: 404,
  type: 'text/plain; charset=utf-8',
  body: Buffer.from('Not found\n'),
}
const notAllowed = {
  ...notFound,
  status: 405,
  body: Buffer.from('Use GET or HEAD\n'),
}

/**
 * Responds to an HTTP request with a file of the page, and logs the request.
 *
 * @type {import('node:http').RequestListener}
 */
export function servePage({ method = '', url = '' }, response) {
  const found = files.get(url.replace(/\?.*/, '')) ?? notFound
  const { status, type, body } =
    method === 'GET' || method === 'HEAD' || found === notFound ? found : notAllowed
  response.writeHead(status, {
    Allow: 'GET, HEAD',
    'Content-Length': body.length,
    'Content-Security-Policy': "default-src 'self'",
    'Content-Type': type,
  })
  response.end(body)
  console.log(`${method} ${url} ${status}`)
}

/**
 * @param {string} name
 * @param {string} type
 */
function file(name, type) {
  const body = readFileSync(new URL(`page/${name}`, import.meta.url))
  return { status: 200, type: `${type}; charset=utf-8`, body }
}
