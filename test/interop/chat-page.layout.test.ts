import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ChatClient } from '../examples/chat-client.js'
import { ChatDemo } from '../support/chat-demo.js'
import { ChatPage } from '../support/chat-page.js'
import { launchChromium } from '../support/chromium.js'
import { requires } from '../support/requirements.js'

const sizes = [
  { size: 'desktop', width: 1280, height: 800 },
  { size: 'phone', width: 375, height: 667 },
  { size: 'keyboard', width: 375, height: 330 },
] as const
const looks = sizes.flatMap((size) => (['light', 'dark'] as const).map((scheme) => ({ ...size, scheme })))

/** The least pixels of a control, and of the log above the keyboard of a phone. */
const FINGER = 44
const LOG = 140

/** Takes a screenshot. The environment variable SCREENSHOTS sets a folder for it. */
async function picture(tab: Page, name: string): Promise<void> {
  const { SCREENSHOTS } = process.env
  const image = await tab.screenshot(SCREENSHOTS ? { path: join(SCREENSHOTS, `${name}.png`) } : {})
  expect(image.length).toBeGreaterThan(0)
}

interface Box {
  readonly name: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** The boxes of all visible buttons, fields and links. */
function controls(tab: Page): Promise<Box[]> {
  return tab.evaluate(`Array.from(document.querySelectorAll('button, input, a[href]'))
    .filter((each) => each.checkVisibility({ visibilityProperty: true }))
    .map((each) => {
      const { x, y, width, height } = each.getBoundingClientRect()
      return { name: each.id || each.className, x, y, width, height }
    })`)
}

/** Expects that all controls are within the window, and that only the log and the list of members scroll. */
async function expectToFit(tab: Page, { width, height }: { width: number; height: number }): Promise<void> {
  const overflow = `(() => {
    const { scrollWidth, scrollHeight } = document.documentElement
    const wide = [...document.querySelectorAll('#lines, #members, main, #panel, header')]
      .filter((each) => each.scrollWidth > each.clientWidth).map(({ id, tagName }) => id || tagName)
    return [scrollWidth, scrollHeight, wide.join()]
  })()`
  expect(await tab.evaluate(overflow)).toEqual([width, height, ''])
  for (const box of await controls(tab)) {
    expect(box.height, box.name).toBeGreaterThanOrEqual(FINGER)
    expect(box.width, box.name).toBeGreaterThanOrEqual(FINGER)
    expect(box.x, box.name).toBeGreaterThanOrEqual(0)
    expect(box.y, box.name).toBeGreaterThanOrEqual(0)
    expect(box.x + box.width, box.name).toBeLessThanOrEqual(width)
    expect(box.y + box.height, box.name).toBeLessThanOrEqual(height)
  }
}

/** The elements whose text has a contrast below 4.5 to 1 (WCAG 2.2, success criterion 1.4.3). */
function paleTexts(tab: Page): Promise<string[]> {
  return tab.evaluate(`(() => {
    const channels = (color) => color.match(/[\\d.]+/g).map(Number)
    const luminance = (color) => {
      const [red, green, blue] = channels(color).map((value) =>
        value <= 10.3 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4)
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    const groundOf = (element) => {
      const color = getComputedStyle(element).backgroundColor
      return (channels(color)[3] ?? 1) === 1 || !element.parentElement ? color : groundOf(element.parentElement)
    }
    return Array.from(document.querySelectorAll('body *:not(:disabled):not(script)'))
      .filter((each) => each.checkVisibility() && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
      .filter((each) => {
        const [one, other] = [getComputedStyle(each).color, groundOf(each)].map(luminance)
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 4.5
      })
      .map((each) => each.outerHTML)
  })()`)
}

const logHeight = async (tab: Page): Promise<number> =>
  (await tab.getByRole('log', { name: 'Messages' }).boundingBox())!.height

/** 27 more members, some of them with long names. */
const names = Array.from({ length: 27 }, (_, index) =>
  index % 7 === 0 ? `${'W'.repeat(39)}${index % 10}` : `Member ${index + 1}`,
)

/** Adds members without a page. */
async function come(demo: ChatDemo, who: string[]): Promise<ChatClient[]> {
  const url = (name: string): string => demo.ws(`/ws/chat/my%20room/?name=${encodeURIComponent(name)}`)
  return await Promise.all(who.map((name) => ChatClient.open(url(name))))
}

async function converse(page: ChatPage, [first, second]: ChatClient[]): Promise<void> {
  await page.note('Grace Hopper and Benjamin with a name of… joined').waitFor()
  first!.send({ text: 'Good morning! Is the new build up already?' })
  first!.send({ text: 'I can see everybody in the room now.' })
  await page.said('I can see everybody in the room now.').waitFor()
  await page.say('Yes, since a minute ago. Nobody was disconnected for longer than two seconds.')
  await page.say('Grüße, wir sind alle da')
  await page.tab.getByText('Broadcast to 2', { exact: true }).waitFor()
  second!.send({ text: `One word of 60 characters: ${'x'.repeat(60)}` })
  await page.tab.locator('.theirs p', { hasText: 'One word' }).waitFor()
}

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
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()))
  })

  async function open(
    path: string,
    { width, height, scheme }: (typeof looks)[number],
    server: ChatDemo = demo,
    options: BrowserContextOptions = {},
  ): Promise<ChatPage> {
    const viewport = { width, height }
    const context = await browser.newContext({ viewport, colorScheme: scheme, ...options })
    contexts.push(context)
    return await ChatPage.open(context, server.http(path))
  }

  test.for(looks)(
    'fits its window alone, in a conversation, with 30 members, and in an outage: $size, $scheme',
    async (look) => {
      const mortal = await ChatDemo.start()
      onTestFinished(async () => {
        await mortal.program.stop('SIGKILL')
      })
      const page = await open('/#my%20room', look, mortal)
      const { tab } = page
      /** Takes a screenshot, and checks the layout. */
      const check = async (name: string): Promise<void> => {
        await picture(tab, `${name}-${look.size}-${look.scheme}`)
        await expectToFit(tab, look)
        expect(await paleTexts(tab)).toEqual([])
        expect(await logHeight(tab)).toBeGreaterThanOrEqual(LOG)
      }

      await page.invitation.waitFor()
      await tab.locator('#latency:not(:empty)').waitFor()
      await check('invitation')
      expect(await tab.evaluate('document.activeElement.id')).toBe('text')

      await converse(page, await come(mortal, ['Grace Hopper', 'Benjamin with a name of forty characters']))
      await check('talk')
      // The end of the log is visible.
      const last = (await tab.locator('.theirs p').last().boundingBox())!
      const log = (await tab.locator('#lines').boundingBox())!
      expect(last.y + last.height).toBeLessThanOrEqual(log.y + log.height)

      await come(mortal, names)
      await expect.poll(() => page.members).toHaveLength(30)
      await check('crowd')
      if (look.size !== 'desktop') {
        await tab.getByRole('button', { name: 'Room and people: 30 here' }).click()
        await picture(tab, `people-${look.size}-${look.scheme}`)
      }
      const list = tab.getByRole('list', { name: 'Here now 30' })
      await list.getByText('Member 27').scrollIntoViewIfNeeded()
      const item = (await list.getByText('Member 27').boundingBox())!
      expect(item.y + item.height).toBeLessThanOrEqual(look.height)
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(look.width)
      expect(await list.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBe(0)
      if (look.size !== 'desktop') await tab.getByRole('button', { name: 'Close' }).click()

      await mortal.program.stop('SIGKILL')
      await tab.locator('#outage').waitFor()
      await check('outage')
    },
  )

  test('the message field keeps the focus, so that a phone keeps its keyboard open', async () => {
    const page = await open('/#focus', { ...looks[2]! }, demo, {
      hasTouch: true,
      isMobile: true,
    })
    await page.state('open').waitFor()
    expect(await page.tab.evaluate('document.activeElement.id')).toBe('text')
    await page.tab.locator('#text').fill('Hello')
    await page.tab.locator('#send').tap()
    await page.saidMyself('Hello').waitFor()
    expect(await page.tab.evaluate('document.activeElement.id')).toBe('text')
    await page.join('elsewhere', 'Ada')
    expect(await page.tab.evaluate('document.activeElement.id')).toBe('text')
    expect(await page.tab.locator('#panel').isVisible()).toBe(false)
  })

  test('follows the colour scheme of the system', async () => {
    const grounds = []
    for (const scheme of ['light', 'dark'] as const) {
      const page = await open('/', { ...looks[0]!, scheme })
      grounds.push(await page.tab.evaluate('getComputedStyle(document.body).backgroundColor'))
    }
    expect(grounds).toEqual(['rgb(243, 245, 249)', 'rgb(15, 18, 24)'])
  })

  test.for(looks)('draws the live statistics: $size, $scheme', async (look) => {
    const clients = await come(demo, ['Ada', 'Ben', 'Cyd'])
    const page = await open('/stats', look)
    await page.state('open').waitFor()
    const counted = page.tab.getByRole('img', { name: /^Messages a second: \d+ \/ 3 now/ })
    // If a sample is taken between them, they are in two of them, and three more are sent.
    do for (let sent = 0; sent < 3; sent++) clients[0]!.send({ text: 'Counted' })
    while (
      !(await counted.waitFor({ timeout: 2500 }).then(
        () => true,
        () => false,
      ))
    )
    expect(await page.tab.locator('#charts svg').count()).toBe(4)
    await picture(page.tab, `statistics-${look.size}-${look.scheme}`)
    expect(await paleTexts(page.tab)).toEqual([])
    expect(await page.tab.evaluate('document.documentElement.scrollWidth')).toBe(look.width)
    await Promise.all(clients.map((client) => client.close()))
  })
})
