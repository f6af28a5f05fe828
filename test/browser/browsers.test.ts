import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type TestBrowser, browsers, launchBrowser, type Tab } from '../support/browsers.js'
import { servePage } from '../support/client-page.js'
import { freePort } from '../support/free-port.js'
import { Program } from '../support/program.js'
import { requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'
import { startForwarder } from '../support/stopped-forwarder.js'

const script = fileURLToPath(new URL('./server.js', import.meta.url))

/** Starts the server of these tests in a process of its own, which ends with the test. */
async function startServer(port = 0): Promise<{ program: Program; port: number; url: string }> {
  const program = new Program(process.execPath, [script], { PORT: String(port) })
  onTestFinished(async () => {
    await program.stop('SIGKILL')
  })
  const [, found] = await program.line(/^listening (\d+)$/)
  return { program, port: Number(found), url: `ws://127.0.0.1:${found}` }
}

/** The URLs of the connections that a server has accepted so far. */
async function accepted(port: number): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  return (await answer.json()) as string[]
}

/** Without repetitions of the attempts that fail while nobody is there. */
const course = (names: string[]): string => names.join(' ').replaceAll(/(waiting connecting )(?:\1)+/g, '$1')

/** Short enough to wait for, and long enough for an answer on a machine that is busy. */
const PINGS = 'ping: { interval: 200, timeout: 2000 }'
const IS_BACK = `names.at(-1) === 'open' && names.filter((name) => name === 'open').length === 2`

// Browsers take their time on a machine that is busy. Each wait is for an event, and no test sleeps this long.
const TIMEOUT = 90_000

describe.each(browsers)('a page in $name', (options) => {
  describe('with a server', { ...requires(options.requirement), timeout: TIMEOUT }, () => {
    let browser: TestBrowser
    let page: Awaited<ReturnType<typeof servePage>>
    beforeAll(async () => {
      ;[browser, page] = await Promise.all([launchBrowser(options), servePage()])
    }, TIMEOUT)
    afterAll(async () => {
      await browser.close()
      page.server.close()
    })

    /** Opens the page, and connects from it. */
    async function visit(url: string, settings = '{}'): Promise<Tab> {
      const tab = await browser.open(page.url)
      await tab.until('window.isReady')
      await tab.evaluate(`start(${url}, ${settings})`)
      return tab
    }

    async function visitOpen(url: string, settings?: string): Promise<Tab> {
      const tab = await visit(url, settings)
      await tab.until(`socket.status.state === 'open'`)
      return tab
    }

    /** Goes to another page in the same tab. */
    async function leave(tab: Tab): Promise<void> {
      await tab.evaluate(`setTimeout(() => location.href = '/elsewhere')`)
      await tab.until(`location.pathname === '/elsewhere' && window.isReady`)
    }

    const courseOf = async (tab: Tab): Promise<string> => course(await tab.evaluate<string[]>('names'))

    /** Lines of ours on the console; those of the browser itself are its own affair. */
    const ours = (tab: Tab): string[] => tab.console.filter((line) => line.startsWith('hubwire'))
    /** Errors that nothing caught. */
    const uncaught = (tab: Tab): string[] =>
      tab.console.filter((line) => /uncaught|TypeError|SyntaxError/i.test(line))

    test('reconnects once after its server was killed and started again', async () => {
      const { program, port, url } = await startServer()
      const tab = await visitOpen(`'${url}/kill'`)
      await program.stop('SIGKILL')
      await tab.until(`socket.status.reason === 'unreachable-or-refused'`)
      expect(await tab.evaluate(`socket.send('lost')`)).toBe('dropped')
      await startServer(port)
      await tab.until(IS_BACK)
      expect(await courseOf(tab)).toBe('connecting open waiting connecting open')
      expect(await accepted(port)).toEqual(['/kill'])
      expect(ours(tab)).toEqual(['hubwire: no connection: 1006 closed; trying again'])
      expect(uncaught(tab)).toEqual([])
    })

    test('reconnects once after a graceful restart of its server, and logs nothing', async () => {
      const { program, port, url } = await startServer()
      const tab = await visitOpen(`'${url}/restart'`, '{ delay: { min: 2000, first: 2000, max: 2000 } }')
      await program.stop('SIGTERM')
      await startServer(port)
      await tab.until(IS_BACK)
      expect(await courseOf(tab)).toBe('connecting open waiting connecting open')
      expect(await tab.evaluate('states[2].code')).toBe(1012)
      expect(await accepted(port)).toEqual(['/restart'])
      expect(ours(tab)).toEqual([])
    })

    test('gives up a connection to a suspended process, and reconnects when it resumes', async () => {
      const { program, url } = await startServer()
      const tab = await visitOpen(`'${url}/stop'`, `{ ${PINGS}, connectTimeout: 500 }`)
      program.signal('SIGSTOP')
      await tab.until(`names.filter((name) => name === 'waiting').length >= 2`)
      program.signal('SIGCONT')
      await tab.until(IS_BACK)
      expect(await courseOf(tab)).toBe('connecting open waiting connecting open')
      expect(await tab.evaluate('states[2].reason')).toBe('silent')
    })

    test('gives up a connection whose network drops everything', async () => {
      const { port } = await startServer()
      const proxy = await startForwarder(port)
      const tab = await visitOpen(`'ws://127.0.0.1:${proxy.port}/drop'`, `{ ${PINGS} }`)
      proxy.cut()
      await tab.until(IS_BACK)
      expect(await courseOf(tab)).toBe('connecting open waiting connecting open')
      expect(await tab.evaluate('states[2].reason')).toBe('silent')
      expect(await accepted(port)).toHaveLength(2)
    })

    test('keeps a connection whose server answers its pings', async () => {
      const { port, url } = await startServer()
      const tab = await visitOpen(`'${url}/ping'`, '{ ping: { interval: 20, timeout: 5000 } }')
      await tab.until('socket.latency !== undefined')
      await tab.evaluate(`socket.send('after the pings')`)
      await tab.until('messages.length > 0')
      expect(await tab.evaluate('messages')).toEqual(['after the pings'])
      expect(await courseOf(tab)).toBe('connecting open')
      expect(await accepted(port)).toHaveLength(1)
    })

    test('renews a token that has expired', async () => {
      const { port, url } = await startServer()
      const tab = await visitOpen(`(window.tokens = 0, () => '${url}/?token=token ' + ++tokens)`)
      await tab.evaluate(`socket.send('expire')`)
      await tab.until(IS_BACK)
      expect(await courseOf(tab)).toBe('connecting open waiting connecting open')
      expect(await tab.evaluate('[tokens, states[2].code]')).toEqual([2, 4401])
      expect(await accepted(port)).toEqual(['/?token=token%201', '/?token=token%202'])
      expect(ours(tab)).toEqual([])
    })

    test('makes exactly one further attempt with a token that is refused', async () => {
      const { url } = await startServer()
      const tab = await visit(`(window.asked = [], ({ code }) => (asked.push(code), '${url}/?token=wrong'))`)
      await tab.until(`socket.status.state === 'closed'`)
      // A refusal by a Close code opens first, so that the page can see it.
      expect(await courseOf(tab)).toBe('connecting open waiting connecting open closed')
      expect(await tab.evaluate('[asked.length, asked[1], socket.status.code]')).toEqual([2, 4401, 4401])
      expect(await tab.evaluate('socket.status.reason')).toBe('not valid: wrong')
      expect(ours(tab)).toEqual(['hubwire: closed for good: 4401 not valid: wrong'])
    })

    test('waits while it is offline, and connects at once when it is online', async () => {
      const { program, port, url } = await startServer()
      const settings = `{ ${PINGS}, delay: { min: 60000, first: 60000, max: 60000 } }`
      const tab = await visitOpen(`'${url}/offline'`, settings)
      await tab.setOffline(true)
      await program.stop('SIGKILL')
      await tab.until(`socket.status.state === 'waiting'`)
      expect(await tab.evaluate('[socket.status.reason, socket.status.delay]')).toEqual(['offline', 60_000])
      await startServer(port)
      await tab.setOffline(false)
      await tab.until(IS_BACK)
      expect(await courseOf(tab)).toBe('connecting open waiting connecting open')
      expect(await accepted(port)).toEqual(['/offline'])
    })

    test('reconnects once after a sleep that suspended its timers', async () => {
      const { program, port, url } = await startServer()
      const tab = await visitOpen(`'${url}/sleep'`, `{ ${PINGS} }`)
      const processes = browser.processes()
      for (const id of processes) process.kill(id, 'SIGSTOP')
      try {
        await program.stop('SIGKILL')
        await startServer(port)
        await new Promise((resolve) => setTimeout(resolve, 1000))
      } finally {
        for (const id of processes) process.kill(id, 'SIGCONT')
      }
      await tab.until(IS_BACK)
      expect(await courseOf(tab)).toBe('connecting open waiting connecting open')
    })

    test('keeps a connection that survived a sleep', async () => {
      const { port, url } = await startServer()
      const tab = await visitOpen(`'${url}/nap'`, `{ ${PINGS} }`)
      const processes = browser.processes()
      for (const id of processes) process.kill(id, 'SIGSTOP')
      // Longer than a ping may be unanswered.
      await new Promise((resolve) => setTimeout(resolve, 3000))
      for (const id of processes) process.kill(id, 'SIGCONT')
      await tab.evaluate(`socket.send('awake')`)
      await tab.until(`messages.includes('awake')`)
      expect(await courseOf(tab)).toBe('connecting open')
      expect(await accepted(port)).toHaveLength(1)
    })

    test('reconnects in the background, and immediately when it becomes visible', async () => {
      const { program, port, url } = await startServer()
      const tab = await visitOpen(`'${url}/background'`, '{ delay: { min: 100, first: 200, max: 60000 } }')
      const other = await browser.open(page.url)
      await other.show()
      await tab.until('document.hidden')
      await program.stop('SIGKILL')
      const second = await startServer(port)
      await tab.until(IS_BACK)
      expect(await tab.evaluate('document.hidden')).toBe(true)
      // The next delay is so long that only showing the page can end it in time.
      await tab.evaluate('Math.random = () => 1000')
      await second.program.stop('SIGKILL')
      await tab.until(`socket.status.state === 'waiting' && socket.status.delay > 90000`)
      await startServer(port)
      await tab.show()
      await tab.until(`names.filter((name) => name === 'open').length === 3`)
      expect((await courseOf(tab)).endsWith('waiting connecting open')).toBe(true)
    })

    if (options.name === 'Chromium') {
      test('closes cleanly on navigation, and resumes when the browser shows it again', async () => {
        const { program, port, url } = await startServer()
        const tab = await visitOpen(`'${url}/back'`)
        await leave(tab)
        await program.line(/^closed 1000 \/back$/)
        await tab.evaluate('setTimeout(() => history.back())')
        await tab.until('window.returns === 1')
        await tab.until(IS_BACK)
        expect(await courseOf(tab)).toBe('connecting open waiting connecting open')
        expect(await tab.evaluate('[states[2].reason, states[2].delay]')).toEqual(['hidden', null])
        expect(await accepted(port)).toHaveLength(2)
        expect(ours(tab)).toEqual([])
      })
    } else {
      // Firefox decides before `pagehide` whether it keeps a page, and keeps none with an open WebSocket.
      test('closes cleanly on navigation, and is reloaded when the browser shows it again', async () => {
        const { program, url } = await startServer()
        const tab = await visitOpen(`'${url}/back'`)
        await leave(tab)
        await program.line(/^closed 100[01] \/back$/) // by the page, or by Firefox itself
        await tab.evaluate('setTimeout(() => history.back())')
        await tab.until(`location.pathname === '/' && window.isReady`)
        expect(await tab.evaluate('[returns, typeof socket]')).toEqual([0, 'undefined'])
      })

      test('resumes from the back/forward cache, which keeps it while it is not connected', async () => {
        const { program, port, url } = await startServer()
        const settings = '{ delay: { min: 60000, first: 60000, max: 60000 } }'
        const tab = await visitOpen(`'${url}/back'`, settings)
        await program.stop('SIGKILL')
        await tab.until(`socket.status.state === 'waiting'`)
        await leave(tab)
        await startServer(port)
        await tab.evaluate('setTimeout(() => history.back())')
        await tab.until('window.returns === 1')
        await tab.until(IS_BACK)
        expect(await tab.evaluate('names')).toEqual([
          ...['connecting', 'open', 'waiting'],
          ...['waiting', 'connecting', 'open'],
        ])
        expect(await tab.evaluate('[states[3].reason, states[3].delay]')).toEqual(['hidden', Infinity])
        expect(await accepted(port)).toEqual(['/back'])
      })
    }

    test('works in a worker', async () => {
      const { port, url } = await startServer()
      const tab = await browser.open(page.url)
      await tab.until('window.isReady')
      await tab.evaluate(`{
        const code = \`import { ReconnectingWebSocket, webSocketUrl } from '\${location.origin}/hubwire/browser.js'
          const socket = new ReconnectingWebSocket('${url}/worker')
          socket.addEventListener('state', ({ state }) => postMessage(state))
          postMessage(webSocketUrl('', 'ws://fallback') + webSocketUrl('/ws', ''))\`
        window.told = []
        const blob = new Blob([code], { type: 'text/javascript' })
        new Worker(URL.createObjectURL(blob), { type: 'module' }).onmessage = ({ data }) => told.push(data)
      }`)
      await tab.until(`told.includes('open')`)
      const base = page.url.replace('http', 'ws')
      expect(await tab.evaluate('told')).toEqual([`${base}${base}/ws`, 'open'])
      expect(await accepted(port)).toEqual(['/worker'])
    })

    test('resolves URLs against the page', async () => {
      const tab = await browser.open(`${page.url}/folder/`)
      await tab.until('window.isReady')
      const base = page.url.replace('http', 'ws')
      const calls = `[webSocketUrl(undefined, 'ws://fallback'), webSocketUrl('https://a.example/b/', 'ws://fallback'), webSocketUrl('/ws/', '')]`
      expect(await tab.evaluate(calls)).toEqual([base, 'wss://a.example/b', `${base}/ws`])
    })

    test('opens and throws nothing if there is no server', async () => {
      const tab = await visit(`'ws://127.0.0.1:${await freePort()}'`)
      await tab.until('states.length > 8')
      expect(await courseOf(tab)).toMatch(/^connecting waiting connecting waiting/)
      expect(ours(tab)).toEqual(['hubwire: no connection: 1006 failed; trying again'])
      expect(uncaught(tab)).toEqual([])
    })

    test('spreads the reconnections of many documents over time after a restart', async () => {
      const count = runs(50) > 50 ? 150 : 50
      const { program, port, url } = await startServer()
      const tab = await browser.open(page.url)
      await tab.until('window.isReady')
      // Frames have separate documents and modules, as tabs have, and cost less.
      await tab.evaluate(`{
        window.documents = Array.from({ length: ${count} }, () => {
          const frame = document.createElement('iframe')
          frame.src = '/frame'
          return document.body.appendChild(frame).contentWindow
        })
      }`)
      await tab.until('documents.every(({ isReady }) => isReady)')
      await tab.evaluate(`documents.forEach((each, id) => each.start('${url}/' + id, { delay: {} }))`)
      await tab.until(`documents.every(({ socket }) => socket.status.state === 'open')`)
      await program.stop('SIGTERM')
      await startServer(port)
      await tab.until(`documents.every(({ names }) => names.includes('waiting') && names.at(-1) === 'open')`)
      const delays = await tab.evaluate<number[]>(
        `documents.map(({ states }) => states.find(({ state }) => state === 'waiting').delay)`,
      )
      // The first delays are from 250 ms to 2 s: seven intervals of 250 ms.
      const perInterval = Array.from({ length: 7 }, () => 0)
      for (const delay of delays) perInterval[Math.floor(delay / 250) - 1]!++
      expect(perInterval.reduce((sum, each) => sum + each)).toBe(count)
      expect(Math.max(...perInterval)).toBeLessThan(count / 2)
      expect(perInterval.filter((each) => each > 0).length).toBeGreaterThanOrEqual(5)
      expect(new Set(await accepted(port)).size).toBe(count)
      expect(await accepted(port)).toHaveLength(count)
    })
  })
})
