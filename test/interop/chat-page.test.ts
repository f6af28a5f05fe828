import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ChatDemo } from '../support/chat-demo.js'
import { ChatPage } from '../support/chat-page.js'
import { launchChromium } from '../support/chromium.js'
import { freePort } from '../support/free-port.js'
import { RedisServer } from '../support/redis-server.js'
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
  /** Uncaught errors and violations of the Content-Security-Policy. Both must be empty. */
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
    expect(await ben.members).toEqual(['Ben', 'Ada'])

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

  test('shows the number of members, their names and which one is you', async () => {
    const context = await browse()
    const ada = await enter(context, 'people', 'Ada')
    await enter(context, 'people', 'Ada')
    const third = await enter(context, 'people', 'Cyd')
    await expect.poll(() => ada.members).toEqual(['Ada', 'Ada', 'Cyd'])
    expect(await ada.tab.locator('#here').textContent()).toBe('Here now 3')
    expect(await ada.tab.locator('#members li').first().textContent()).toBe('AAdayou')
    expect(await ada.tab.locator('#members .you').count()).toBe(1)
    await third.tab.close()
    await expect.poll(() => ada.members).toEqual(['Ada', 'Ada'])
    expect(await ada.tab.locator('#here').textContent()).toBe('Here now 2')
  })

  test('takes the room from the address and gives a guest a name', async () => {
    const context = await browse()
    const ada = await enter(context, 'one', 'Ada')
    expect(ada.tab.url()).toBe(demo.http('/#one'))
    const guest = await ChatPage.open(context, demo.http('/#one'))
    await guest.tab.getByText(/^You are Guest \d{3} in one$/).waitFor()
    expect(await guest.members).toEqual([expect.stringMatching(/^Guest \d{3}$/), 'Ada'])
  })

  test('decodes the room in the address, and encodes it there', async () => {
    const context = await browse()
    const ada = await ChatPage.open(context, demo.http('/#my%20room'))
    await ada.tab.getByText(/^You are Guest \d{3} in my room$/).waitFor()
    expect(await ada.tab.locator('#title').textContent()).toBe('my room')
    expect(await ada.tab.locator('#room').inputValue()).toBe('my room')
    const ben = await enter(context, 'my room', 'Ben')
    expect(ben.tab.url()).toBe(demo.http('/#my%20room'))
    await ada.note('Ben joined').waitFor()
    const odd = await ChatPage.open(context, demo.http('/#Z%FCrich/100%'))
    await odd.tab.getByText(/^You are Guest \d{3} in Z%FCrich\/100%$/).waitFor()
  })

  test('invites a user who is alone to open a second tab, until somebody joins', async () => {
    const context = await browse()
    const ada = await enter(context, 'come in', 'Ada')
    await ada.invitation.waitFor()
    const opened = context.waitForEvent('page')
    await ada.tab.getByRole('link', { name: 'Open a second tab' }).click()
    const second = ChatPage.of(await opened)
    await second.tab.getByText(/^You are Guest \d{3} in come in$/).waitFor()
    await ada.invitation.waitFor({ state: 'hidden' })
    expect(await second.invitation.isVisible()).toBe(false)
    await second.say('Here I am')
    await ada.said('Here I am').waitFor()
    await second.tab.close()
    // The invitation would cover the messages.
    await ada.tab.locator('.note', { hasText: /left$/ }).waitFor()
    expect(await ada.invitation.isVisible()).toBe(false)
  })

  test.for(['share', 'copy'])('copies the link to the room: #%s', async (id) => {
    const context = await browse({ permissions: ['clipboard-read', 'clipboard-write'] })
    const ada = await enter(context, `share ${id}`, 'Ada')
    await ada.tab.locator(`#${id}`).click()
    await ada.tab.locator(`#${id}[data-done=Copied]`).waitFor()
    expect(await ada.tab.evaluate('navigator.clipboard.readText()')).toBe(demo.http(`/#share%20${id}`))
  })

  test('shows the round trip to the server', async () => {
    const ada = await enter(await browse(), 'trip', 'Ada')
    await ada.tab.locator('#latency', { hasText: /^\d+ ms$/ }).waitFor()
    expect(await ada.tab.locator('#state').textContent()).toMatch(/^\s*Live \d+ ms\s*$/)
  })

  test('shows how many members a message reached, and counts the broadcasts', async () => {
    const context = await browse({ viewport: { width: 1280, height: 800 } })
    const ada = await enter(context, 'reach', 'Ada')
    await ada.say('Nobody?')
    await ada.tab.getByText('Nobody else is here', { exact: true }).waitFor()
    await enter(context, 'reach', 'Ben')
    await enter(context, 'reach', 'Cyd')
    const count = async (): Promise<number> => Number(await ada.tab.locator('#broadcasts').textContent())
    await expect.poll(count).toBeGreaterThan(0)
    const before = await count()
    await ada.say('Everybody?')
    await ada.tab.getByText('Broadcast to 2', { exact: true }).waitFor()
    await expect.poll(count, { timeout: 10_000 }).toBeGreaterThan(before)
  })

  test('groups consecutive messages of one person, and consecutive joins', async () => {
    const context = await browse()
    const ada = await enter(context, 'groups', 'Ada')
    const ben = await enter(context, 'groups', 'Ben')
    await enter(context, 'groups', 'Cyd')
    await ada.note('Ben and Cyd joined').waitFor()
    for (const text of ['One', 'Two', 'Three']) await ben.say(text)
    await ada.said('Three').waitFor()
    await ada.say('Four')
    await ben.said('Four').waitFor()
    await ben.say('Five')
    await ada.said('Five').waitFor()
    const groups = ada.tab.locator('#lines .bubbles')
    expect(await groups.count()).toBe(3)
    expect(await groups.first().locator('p').allTextContents()).toEqual(['One', 'Two', 'Three'])
    expect(await groups.first().locator('b').allTextContents()).toEqual(['Ben'])
  })

  test('shares its room with another process by Redis', requires('redis-server'), async () => {
    const port = await freePort()
    await RedisServer.start('--port', String(port), '--bind', '127.0.0.1')
    const start = async (): Promise<ChatDemo> => {
      const other = await ChatDemo.start(0, { REDIS_URL: `redis://127.0.0.1:${port}` })
      onTestFinished(async () => {
        await other.program.stop('SIGKILL')
      })
      return other
    }
    const [first, second] = [await start(), await start()]
    const context = await browse()
    const ada = await ChatPage.open(context, first.http('/#shared'))
    await ada.join('shared', 'Ada')
    const ben = await ChatPage.open(context, second.http('/#shared'))
    await ben.join('shared', 'Ben')
    await expect.poll(() => ada.members).toEqual(['Ada', 'Ben'])
    await expect.poll(() => ben.members).toEqual(['Ben', 'Ada'])
    await ben.say('From the other process')
    await ben.tab.getByText('Broadcast to 0 here, relayed to other processes', { exact: true }).waitFor()
    await ada.said('From the other process').waitFor()
    await second.program.stop('SIGKILL')
    await ada.note('Ben left').waitFor()
    expect(await ada.members).toEqual(['Ada'])
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
    await context.addInitScript('Math.random = () => 0') // the shortest delays
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

  test('counts down to the next attempt, connects at once on "Try now", and announces changes only', async () => {
    const context = await browse()
    // The longest delays: 2, 4 and 8 s.
    await context.addInitScript('Math.random = () => 0.999')
    const ada = await enter(context, 'outage', 'Ada')
    const announcements = await ada.tab.evaluateHandle<string[]>(`{
      const announcement = document.querySelector('#announcement')
      const texts = []
      new MutationObserver(() => texts.push(announcement.textContent)).observe(announcement, { childList: true })
      texts
    }`)
    const { port } = demo
    await demo.program.stop('SIGKILL')
    await ada.tab.getByText('Connection lost.').and(ada.tab.locator('#trouble')).waitFor()
    await ada.tab.locator('#countdown', { hasText: /^Trying again in [12] s$/ }).waitFor()
    // Each text is there for a second only, which a busy machine may miss.
    await ada.tab.locator('#countdown', { hasText: /^Trying again in [78] s$/ }).waitFor()
    await ada.tab.locator('#countdown', { hasText: /^Trying again in [56] s$/ }).waitFor()
    expect(await ada.tab.locator('#trouble').textContent()).toBe('Connection lost.')
    demo = await ChatDemo.start(port)
    await ada.tab.getByRole('button', { name: 'Try now' }).click()
    await ada.state('open').waitFor()
    expect(await ada.tab.locator('#outage').isVisible()).toBe(false)
    expect(await announcements.jsonValue()).toEqual(['Connection lost.', 'Connected'])
    expect(await ada.members).toEqual(['Ada'])
  })

  test('announces only messages and the state to screen readers', async () => {
    const context = await browse()
    const ada = await enter(context, 'voices', 'Ada')
    const ben = await enter(context, 'voices', 'Ben')
    await ben.say('Aloud')
    await ada.said('Aloud').waitFor()
    const log = ada.tab.getByRole('log', { name: 'Messages' })
    expect(await log.locator('.note').count()).toBe(2)
    expect(await log.locator('.note:not([aria-hidden=true])').count()).toBe(0)
    const roles = `Array.from(document.querySelectorAll('[role]:not([role=img]), [aria-live]'), (each) => each.role)`
    expect(await ada.tab.evaluate(roles)).toEqual(['status', 'log'])
    expect(await ada.tab.getByRole('status').textContent()).toBe('Connected')
    expect(await ada.tab.getByRole('list', { name: 'Here now 2' }).getByRole('listitem').count()).toBe(2)
    expect(await ada.tab.getByRole('textbox', { name: 'Your message' }).getAttribute('id')).toBe('text')
    expect(await ada.tab.evaluate('document.activeElement.id')).toBe('text')
  })
})
