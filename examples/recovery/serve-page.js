import { readFileSync } from 'node:fs'

/** The client for pages, one module. A page without a bundler loads it as it is. */
const client = new URL(import.meta.resolve('hubwire/browser'))
const page = new URL('page/', import.meta.url)

/** @type {import('node:http').RequestListener} */
export function servePage({ url = '/' }, response) {
  const isClient = url === '/hubwire/index.js'
  const [, name] = /^\/([\w-]+\.js)?$/.exec(url) ?? []
  if (name === undefined && url !== '/' && !isClient) {
    response.writeHead(404).end('Not found\n')
    return
  }
  const type = url === '/' ? 'text/html' : 'text/javascript'
  try {
    const file = readFileSync(isClient ? client : new URL(name ?? 'index.html', page))
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(file)
  } catch {
    response.writeHead(404).end('Not found\n')
  }
}
