import { readdirSync, readFileSync } from 'node:fs'

const page = new URL('page/', import.meta.url)
/** The modules of the client for pages, which a page without a bundler loads as they are. */
const client = new URL('.', import.meta.resolve('hubwire/browser'))
const modules = readdirSync(client).filter((name) => name.endsWith('.js'))

const files = new Map([
  ['/', file(new URL('index.html', page), 'text/html')],
  ['/chat.css', file(new URL('chat.css', page), 'text/css')],
  ['/chat.js', file(new URL('chat.js', page), 'text/javascript')],
  ['/icon.svg', file(new URL('icon.svg', page), 'image/svg+xml')],
])
for (const name of modules) files.set(`/hubwire/${name}`, file(new URL(name, client), 'text/javascript'))
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
 * @param {URL} url
 * @param {string} type
 */
function file(url, type) {
  const body = readFileSync(url)
  return { status: 200, type: `${type}; charset=utf-8`, body }
}
