import { readFileSync } from 'node:fs'

/** The modules of the client for pages. A page without a bundler loads them as they are. */
const client = new URL('.', import.meta.resolve('hubwire/browser'))
const page = new URL('page/', import.meta.url)

/** @type {import('node:http').RequestListener} */
export function servePage({ url = '/' }, response) {
  const [, folder, name] = /^\/(hubwire\/)?([\w-]+\.js)?$/.exec(url) ?? []
  if (name === undefined && url !== '/') {
    response.writeHead(404).end('Not found\n')
    return
  }
  const type = name === undefined ? 'text/html' : 'text/javascript'
  try {
    const file = readFileSync(new URL(name ?? 'index.html', folder === undefined ? page : client))
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(file)
  } catch {
    response.writeHead(404).end('Not found\n')
  }
}
