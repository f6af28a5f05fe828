import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ChatDemo } from '../support/chat-demo.js'
import { ChatPage } from '../support/chat-page.js'
import { launchChromium } from '../support/chromium.js'
import { requires } from '../support/requirements.js'

describe('the chat page in Chromium', requires('chromium'), () => {
  let browser: Browser
  let demo: ChatDemo
  beforeAll(async () => {
    browser = await launchChromium()
    demo = await ChatDemo.start()
  })
  afterAll(async () => {
    await browser.close()
    await demo.program.stop()
  })

  const contexts: BrowserContext[] = []
  /** Uncaught errors and what the Content-Security-Policy refused: there is none of either. */
  const complaints: string[] = []
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()))
    expect(complaints.splice(0)).toEqual([])
  })

  async function browse(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const context = await browser.newContext(options)
    contexts.push(context)
    context.on('weberror', (error) => complaints.push(error.error().message))
    context.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) complaints.push(message.text())
    })
    return context
  }

  async function enter(context: BrowserContext, room: string, name: string): Promise<ChatPage> {
    const page = await ChatPage.open(context, demo.http('/'))
    await page.join(room, name)
    return page
  }

  test('carries messages between two tabs', async () => {
    const context = await browse()
    const ada = await enter(context, 'talk', 'Ada')
    const ben = await enter(context, 'talk', 'Ben')
    await ada.note('Ben joined').waitFor()
    expect(await ada.members).toEqual(['Ada', 'Ben'])
    expect(await ben.members).toEqual(['Ada', 'Ben'])

    await ada.say('Hello, Ben')
    await ben.said('Hello, Ben').waitFor()
    await ben.say('Grüße, Ada 👋')
    await ada.said('Grüße, Ada 👋').waitFor()
    expect(await ada.tab.locator('#lines p').allTextContents()).toEqual(['Hello, Ben', 'Grüße, Ada 👋'])
    expect(await ada.saidMyself('Hello, Ben').count()).toBe(1)

    await ben.tab.close()
    await ada.note('Ben left').waitFor()
    expect(await ada.members).toEqual(['Ada'])
  })

  test('takes the room from the address and gives a guest a name', async () => {
    const context = await browse()
    const ada = await enter(context, 'one', 'Ada')
    expect(ada.tab.url()).toBe(demo.http('/#one'))
    const guest = await ChatPage.open(context, demo.http('/#one'))
    await guest.tab.getByText(/^You are Guest \d{3} in one$/).waitFor()
    expect(await guest.members).toEqual(['Ada', expect.stringMatching(/^Guest \d{3}$/)])
  })

  test('leaves the first room when the user changes rooms', async () => {
    const context = await browse()
    const ada = await enter(context, 'first', 'Ada')
    const ben = await enter(context, 'first', 'Ben')
    await ben.join('second', 'Ben')
    await ada.note('Ben left').waitFor()
    const cyd = await enter(context, 'second', 'Cyd')
    await cyd.say('Only for the second room')
    await ben.said('Only for the second room').waitFor()
    expect(await ada.said('Only for the second room').count()).toBe(0)
    expect(ben.tab.url()).toBe(demo.http('/#second'))
  })

  test('shows markup as text', async () => {
    const context = await browse()
    const markup = '<img src=x onerror="document.title=`broken`"><b>bold</b>'
    const ada = await enter(context, 'markup', 'Ada')
    const eve = await enter(context, 'markup', '<i>Eve</i>')
    await eve.say(markup)
    await ada.said(markup).waitFor()
    expect(await ada.members).toEqual(['Ada', '<i>Eve</i>'])
    expect(await ada.tab.locator('#lines :is(img, i), #lines p b, #members i').count()).toBe(0)
    expect(await ada.tab.title()).toBe('markup · hubwire chat')
  })

  test('reconnects when the server is back, and sends what was written in the meantime', async () => {
    const context = await browse()
    const ada = await enter(context, 'return', 'Ada')
    const ben = await enter(context, 'return', 'Ben')
    const { port } = demo
    await demo.program.stop()
    for (const page of [ada, ben]) {
      await page.tab.locator('#send:disabled').waitFor()
      expect(await page.members).toEqual([])
    }
    await ada.say('Are you still there?')
    expect(await ada.saidMyself('Are you still there?').count()).toBe(0)

    demo = await ChatDemo.start(port)
    for (const page of [ada, ben]) await page.state('open').waitFor()
    await expect.poll(() => ada.members).toHaveLength(2)
    await ada.tab.getByRole('button', { name: 'Send' }).click()
    await ben.said('Are you still there?').waitFor()
  })

  const looks: (BrowserContextOptions & { look: string; viewport: { width: number; height: number } })[] = [
    { look: 'light', colorScheme: 'light', viewport: { width: 1000, height: 700 } },
    { look: 'dark', colorScheme: 'dark', viewport: { width: 1000, height: 700 } },
    { look: 'phone', colorScheme: 'light', viewport: { width: 375, height: 667 } },
    { look: 'small_phone_dark', colorScheme: 'dark', viewport: { width: 320, height: 568 } },
  ]

  /** Set SCREENSHOTS to a folder to look for yourself. */
  test.for(looks)('fits its window: $look', async ({ look, ...options }) => {
    const context = await browse(options)
    const ada = await enter(context, look, 'Ada')
    const ben = await enter(context, look, 'Benjamin-with-a-name-of-forty-characters')
    await ada.say('Hello, who is there?')
    await ben.say(`One word of 200 characters: ${'x'.repeat(200)}`)
    await ada.say(
      'A longer line which has to be broken because it does not fit into a line on any screen there is.',
    )
    await ada.say('Grüße 👋')
    await ada.tab.locator('.mine').nth(2).waitFor()
    const { SCREENSHOTS } = process.env
    const image = await ada.tab.screenshot(
      SCREENSHOTS === undefined ? {} : { path: join(SCREENSHOTS, `${look}.png`) },
    )
    expect(image.length).toBeGreaterThan(0)

    const { width, height } = options.viewport
    const size = 'document.documentElement.scrollWidth + " " + document.documentElement.scrollHeight'
    expect(await ada.tab.evaluate(size)).toBe(`${width} ${height}`)
    const lines =
      'const { scrollWidth, clientWidth } = document.querySelector("#lines"); scrollWidth - clientWidth'
    expect(await ada.tab.evaluate(lines)).toBe(0)
    for (const part of ['#name', '#room', '#lines', '#text', '#send']) {
      const box = (await ada.tab.locator(part).boundingBox())!
      expect(box.x).toBeGreaterThanOrEqual(0)
      expect(box.x + box.width).toBeLessThanOrEqual(width)
      expect(box.y + box.height).toBeLessThanOrEqual(height)
    }
  })

  test('follows the colour scheme of the system', async () => {
    const grounds = []
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await ChatPage.open(await browse({ colorScheme }), demo.http('/'))
      grounds.push(await page.tab.evaluate('getComputedStyle(document.body).backgroundColor'))
    }
    expect(grounds).toEqual(['rgb(244, 245, 248)', 'rgb(19, 21, 26)'])
  })
})
