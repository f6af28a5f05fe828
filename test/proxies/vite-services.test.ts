import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { browsers, launchBrowser } from '../support/browsers.js'
import { Example } from '../support/example.js'
import { Program } from '../support/program.js'
import { requires } from '../support/requirements.js'

const vitePath = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js')
const configuration = fileURLToPath(new URL('../../examples/vite/services.config.js', import.meta.url))

const NAMES = ['Chat', 'Notices', 'Echo']
const ARE = (state: string): string =>
  `document.querySelectorAll('[data-state="${state}"]').length === ${NAMES.length}`

/** Types into the field of a service, so that React notices it, and submits. */
const say = (name: string, text: string): string => `{
  const form = document.querySelector('#${name} form')
  const field = form.querySelector('input')
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, '${text}')
  field.dispatchEvent(new Event('input', { bubbles: true }))
  setTimeout(() => form.requestSubmit())
}`

describe.each(browsers)('three services behind vite in $name', (options) => {
  test(
    'connect with a token each, and reconnect when the backend has restarted',
    { ...requires(options.requirement), timeout: 60_000 },
    async () => {
      const backend = await Example.forTest('vite')
      const environment = { PORT: '0', BACKEND: backend.http(''), NO_COLOR: '1' }
      const vite = new Program(process.execPath, [vitePath, '--config', configuration], environment)
      onTestFinished(async () => {
        await vite.stop()
      })
      const [url] = await vite.line(/http:\/\/127\.0\.0\.1:\d+\//)
      const browser = await launchBrowser(options)
      onTestFinished(() => browser.close())
      const tab = await browser.open(url)
      await tab.until(ARE('open'))
      for (const [name, answer] of [
        ['Chat', 'hello'],
        ['Notices', 'Notice: hello'],
        ['Echo', 'hello'],
      ] as const) {
        await tab.evaluate(say(name, 'hello'))
        await tab.until(`document.querySelector('#${name} ul').textContent === '${answer}'`)
      }
      const { SCREENSHOTS } = process.env
      for (const width of [375, 1000]) {
        const path = SCREENSHOTS && join(SCREENSHOTS, `services-${options.name}-${width}.png`)
        expect(await tab.screenshot(width, 800, path)).toBeGreaterThan(0)
        expect(await tab.evaluate('document.documentElement.scrollWidth')).toBe(width)
      }

      await backend.program.stop('SIGTERM')
      await tab.until(`document.querySelectorAll('[data-state="open"]').length === 0`)
      await tab.evaluate(say('Echo', 'kept'))
      await Example.forTest('vite', { PORT: String(backend.port) })
      await tab.until(ARE('open'))
      expect(await tab.evaluate(`document.querySelector('#Echo input').value`)).toBe('kept')
      await tab.evaluate(`document.querySelector('#Echo form').requestSubmit()`)
      await tab.until(`document.querySelector('#Echo ul').lastChild.textContent === 'kept'`)
      expect(tab.console.filter((line) => /uncaught|TypeError|SyntaxError/i.test(line))).toEqual([])
    },
  )
})
