import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect } from 'hubwire'
import type { Browser, BrowserContext } from 'playwright-core'
import { createServer } from 'vite'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ChatDemo } from '../support/chat-demo.js'
import { ChatPage } from '../support/chat-page.js'
import { launchChromium } from '../support/chromium.js'
import { Program } from '../support/program.js'
import { requires } from '../support/requirements.js'

const vitePath = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js')
const configuration = fileURLToPath(new URL('../../examples/vite/vite.config.js', import.meta.url))

/** Runs vite with examples/vite until the test ends. */
async function startVite(backend: ChatDemo): Promise<{ program: Program; url: string }> {
  const environment = { PORT: '0', BACKEND: backend.ws(''), NO_COLOR: '1' }
  const program = new Program(process.execPath, [vitePath, '--config', configuration], environment)
  onTestFinished(async () => {
    await program.stop()
  })
  const [url] = await program.line(/http:\/\/127\.0\.0\.1:\d+\//)
  return { program, url }
}

/** A chat server that can be restarted, until the test ends. */
async function startDemo(port?: number): Promise<ChatDemo> {
  const demo = await ChatDemo.start(port)
  onTestFinished(async () => {
    await demo.program.stop('SIGKILL')
  })
  return demo
}

describe('the chat page through vite', requires('chromium'), () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  async function browse(): Promise<{ context: BrowserContext; complaints: string[] }> {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    const complaints: string[] = []
    context.on('weberror', (error) => complaints.push(error.error().message))
    return { context, complaints }
  }

  async function enter(context: BrowserContext, url: string, name: string): Promise<ChatPage> {
    const page = await ChatPage.open(context, url)
    await page.join('vite', name)
    return page
  }

  test('carries messages between two tabs, which reconnect without errors when the server restarts', async () => {
    const demo = await startDemo()
    const vite = await startVite(demo)
    const { context, complaints } = await browse()
    const [ada, ben] = [await enter(context, vite.url, 'Ada'), await enter(context, vite.url, 'Ben')]
    await ada.say('Hello, Ben')
    await ben.said('Hello, Ben').waitFor()
    await ben.say('Grüße, Ada 👋')
    await ada.said('Grüße, Ada 👋').waitFor()

    const { port } = demo
    await demo.program.stop()
    for (const page of [ada, ben]) await page.tab.locator('#send:disabled').waitFor()
    await vite.program.line(/proxy error/)
    await startDemo(port)
    for (const page of [ada, ben]) await page.state('open').waitFor()
    await expect.poll(() => ada.members, { timeout: 10_000 }).toHaveLength(2)
    await ada.say('Are you still there?')
    await ben.said('Are you still there?').waitFor()
    expect(complaints).toEqual([])
    // vite logs that the server was unreachable, and no other error: no reset, no broken pipe. (A tab that is
    // closed may reset its connection.)
    const errors = vite.program.lines.filter(
      (line) => /error/i.test(line) && !line.includes('ws proxy error:'),
    )
    expect(new Set(errors)).toEqual(new Set([`Error: connect ECONNREFUSED 127.0.0.1:${port}`]))
  }, 60_000)
})

test('is not reached through vite by a client of another origin', async () => {
  const vite = await startVite(await startDemo())
  const url = `${vite.url.replace('http', 'ws')}ws/echo`
  const own = await connect(url, { origin: new URL(vite.url).origin })
  own.terminate()
  await expect(connect(url, { origin: 'https://evil.example' })).rejects.toThrow('403')
})

test('refuses its own page with changeOrigin, because vite replaces the host of the page', async () => {
  const demo = await startDemo()
  const vite = await createServer({
    configFile: configuration,
    logLevel: 'silent',
    server: { port: 0, proxy: { '/ws': { target: demo.ws(''), ws: true, changeOrigin: true } } },
  })
  onTestFinished(() => vite.close())
  await vite.listen()
  const [page] = vite.resolvedUrls!.local
  const { origin } = new URL(page!)
  await expect(connect(`${origin.replace('http', 'ws')}/ws/echo`, { origin })).rejects.toThrow('403')
})
