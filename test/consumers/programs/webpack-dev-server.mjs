// Live reload: a page in Chromium reloads when a module has changed, and shows an error in a module.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer from 'puppeteer-core'
import webpack from 'webpack'
import WebpackDevServer from 'webpack-dev-server'

const folder = mkdtempSync(join(tmpdir(), 'hubwire-webpack-'))
const entry = join(folder, 'index.js')
const write = (text) => writeFileSync(entry, text)
write('document.title = "first"')
writeFileSync(join(folder, 'index.html'), '<script src="main.js"></script>')
const compiler = webpack({
  mode: 'development',
  context: folder,
  entry,
  output: { path: folder },
  infrastructureLogging: { level: 'none' },
  stats: 'none',
})
const server = new WebpackDevServer(
  {
    host: '127.0.0.1',
    port: 0,
    hot: false,
    liveReload: true,
    static: { directory: folder, watch: false },
    webSocketServer: 'ws',
  },
  compiler,
)
await server.start()
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? 'chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
})
try {
  const page = await browser.newPage()
  const connected = new Promise((resolve) =>
    server.webSocketServer.implementation.once('connection', resolve),
  )
  await page.goto(`http://127.0.0.1:${server.server.address().port}/`)
  await page.waitForFunction(() => document.title === 'first')
  await connected
  write('document.title = "second"')
  await page.waitForFunction(() => document.title === 'second')
  write('document.title = ')
  await page.waitForSelector('#webpack-dev-server-client-overlay')
  assert.equal(server.webSocketServer.clients.length, 1)
} finally {
  await browser.close()
  await server.stop()
  rmSync(folder, { recursive: true })
}
