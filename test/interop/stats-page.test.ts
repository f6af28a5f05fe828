import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ChatClient } from '../examples/chat-client.js'
import { ChatDemo } from '../support/chat-demo.js'
import { launchChromium } from '../support/chromium.js'
import { freePort } from '../support/free-port.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'

describe('the page of live statistics in Chromium', requires('chromium'), () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  async function startDemo(port = 0, environment = {}): Promise<ChatDemo> {
    const demo = await ChatDemo.start(port, environment)
    onTestFinished(async () => {
      await demo.program.stop('SIGKILL')
    })
    return demo
  }

  async function open(demo: ChatDemo): Promise<Page> {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    const tab = await context.newPage()
    await tab.goto(demo.http('/stats'))
    return tab
  }

  test('draws connections, messages, rooms and slow members, second by second', async () => {
    const demo = await startDemo()
    const tab = await open(demo)
    await tab.getByRole('img', { name: 'Connections: 0 now, at most 0 in the last minute' }).waitFor()
    const clients = await Promise.all(
      ['a', 'b', 'b'].map((room) => ChatClient.open(demo.ws(`/ws/chat/${room}/`))),
    )
    await tab.getByRole('img', { name: 'Connections: 3 now, at most 3 in the last minute' }).waitFor()
    await tab.getByRole('img', { name: 'Rooms: 2 now, at most 2 in the last minute' }).waitFor()
    await tab.getByRole('img', { name: 'Slow members: 0 now, at most 0 in the last minute' }).waitFor()
    const row = tab.locator('#processes tr')
    expect(await row.locator('td').nth(2).textContent()).toBe('3')
    await Promise.all(clients.map((client) => client.close()))
    await tab.getByRole('img', { name: 'Connections: 0 now, at most 3 in the last minute' }).waitFor()
    await tab.getByRole('img', { name: /^Messages a second: 0 \/ 0 now, at most [1-9]/ }).waitFor()
    expect(await row.count()).toBe(1)
  })

  test('shows the last minute at once', async () => {
    const demo = await startDemo()
    const client = await ChatClient.open(demo.ws('/ws/chat/before/'))
    const first = await open(demo)
    await first.getByRole('img', { name: 'Rooms: 1 now, at most 1 in the last minute' }).waitFor()
    await client.close()
    await first.getByRole('img', { name: 'Rooms: 0 now, at most 1 in the last minute' }).waitFor()
    const late = await open(demo)
    await late.getByRole('img', { name: 'Rooms: 0 now, at most 1 in the last minute' }).waitFor()
  })

  test('connects again when its server is back', async () => {
    const demo = await startDemo()
    const tab = await open(demo)
    await tab.locator('#state[data-state=open]').waitFor()
    await tab.evaluate('Math.random = () => 0') // the shortest delays
    await demo.program.stop('SIGKILL')
    await tab.locator('#outage').waitFor()
    await startDemo(demo.port)
    await tab.locator('#state[data-state=open]').waitFor()
    await tab.locator('#processes tr').waitFor()
    expect(await tab.locator('#outage').isVisible()).toBe(false)
  })

  test('adds up the processes that share a Redis', requires('redis-server'), async () => {
    const port = await freePort()
    await RedisServer.start('--port', String(port), '--bind', '127.0.0.1')
    const environment = { REDIS_URL: `redis://127.0.0.1:${port}` }
    const demos = [await startDemo(0, environment), await startDemo(0, environment)]
    const clients = await Promise.all(demos.map((demo) => ChatClient.open(demo.ws('/ws/chat/shared/'))))
    const tab = await open(demos[0]!)
    await tab.getByRole('img', { name: 'Connections: 2 now, at most 2 in the last minute' }).waitFor()
    expect(await tab.locator('#processes tr').count()).toBe(2)
    await demos[1]!.program.stop('SIGKILL')
    await tab.getByRole('img', { name: 'Connections: 1 now, at most 2 in the last minute' }).waitFor()
    await expect.poll(() => tab.locator('#processes tr').count()).toBe(1)
    await clients[0]!.close()
  })
})
