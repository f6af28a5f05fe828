import { readdirSync, readFileSync } from 'node:fs'
import { launch, type Browser, type LaunchOptions } from 'puppeteer-core'
import { programPath, type Requirement } from './requirements.js'

/** A tab of a browser, of which tests need no more than this. */
export interface Tab {
  /** What it wrote on its console, and the errors that nothing caught. */
  readonly console: readonly string[]
  /** Evaluates an expression, and awaits it. */
  evaluate<Result>(expression: string): Promise<Result>
  /** Waits until an expression is true. */
  until(expression: string): Promise<void>
  /** Makes the browser believe that there is no network, or that there is one again. */
  setOffline(isOffline: boolean): Promise<void>
  /** Shows this tab, and hides the others of its browser. */
  show(): Promise<void>
  screenshot(width: number, height: number, path?: string): Promise<number>
}

/** A real browser without a window. */
export interface TestBrowser {
  open(url: string): Promise<Tab>
  /** The ids of its processes. */
  processes(): number[]
  close(): Promise<void>
}

/**
 * Debian's Chromium by the DevTools protocol, and Debian's Firefox by WebDriver BiDi. Puppeteer drives both, and unlike
 * Playwright lets tabs be hidden, and slows their timers down, as in a browser with windows.
 */
export const browsers: readonly { name: string; requirement: Requirement; options: LaunchOptions }[] = [
  {
    name: 'Chromium',
    requirement: 'chromium',
    options: {
      browser: 'chrome',
      // It has no sandbox, which root in a container cannot have.
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-component-update',
      ],
      ignoreDefaultArgs: [
        '--disable-back-forward-cache',
        '--disable-background-timer-throttling',
        '--disable-backgrounding-occluded-windows',
        '--disable-renderer-backgrounding',
      ],
    },
  },
  {
    name: 'Firefox',
    requirement: 'firefox-esr',
    options: {
      browser: 'firefox',
      // Firefox itself delays attempts at a host that has just failed, up to a minute: docs/browser.md names the preference.
      extraPrefsFirefox: { 'network.websocket.delay-failed-reconnects': false },
    },
  },
]

export async function launchBrowser({
  requirement,
  options,
}: (typeof browsers)[number]): Promise<TestBrowser> {
  const browser = await launch({ ...options, executablePath: programPath(requirement), headless: true })
  return {
    open: (url) => openTab(browser, url),
    processes: () => treeOf(browser.process()!.pid!),
    close: () => browser.close(),
  }
}

async function openTab(browser: Browser, url: string): Promise<Tab> {
  const page = await browser.newPage()
  const lines: string[] = []
  page.on('console', (message) => lines.push(message.text()))
  page.on('pageerror', (error) => lines.push(String(error)))
  await page.goto(url)
  return {
    console: lines,
    evaluate: <Result>(expression: string) => page.evaluate(expression) as Promise<Result>,
    until: async (expression) => {
      await page.waitForFunction(expression, { polling: 50, timeout: 60_000 })
    },
    setOffline: (isOffline) => page.setOfflineMode(isOffline),
    show: () => page.bringToFront(),
    screenshot: async (width, height, path) => {
      await page.setViewport({ width, height })
      const options = path === undefined ? {} : { path: path as `${string}.png` }
      return (await page.screenshot(options)).length
    },
  }
}

/** A process and all that came of it. */
function treeOf(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1')) ?? []
      parents.set(Number(name), Number(parent))
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = [root]
  for (const id of found) {
    for (const [child, parent] of parents) if (parent === id) found.push(child)
  }
  return found
}
