import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'

const page = new URL('page/', import.meta.url)
/** The client for pages, one module. A page without a bundler loads it as it is. */
const client = new URL(import.meta.resolve('hubwire/browser'))

/** @type {Record<string, string>} */
const types = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' }
const files = new Map([...filesIn(page, '/'), ['/hubwire/index.js', fileAt(client, '.js')]])
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

/** @param {URL} url @param {string} extension */
function fileAt(url, extension) {
  return { status: 200, type: `${types[extension] ?? ''}; charset=utf-8`, body: readFileSync(url) }
}

/**
 * The files of a folder by their paths. index.html has the path of the folder, and stats.html the path stats.
 *
 * @param {URL} folder
 * @param {string} at
 */
function* filesIn(folder, at) {
  for (const name of readdirSync(folder)) {
    const extension = extname(name)
    if (!(extension in types)) continue
    const path = at + name.replace(/^index\.html$|\.html$/, '')
    yield /** @type {const} */ ([path, fileAt(new URL(name, folder), extension)])
  }
}
