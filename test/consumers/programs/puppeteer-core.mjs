// Chromium over the DevTools protocol: evaluating, events of a page, and 5 MB in either direction.
import assert from 'node:assert/strict'
import puppeteer from 'puppeteer-core'

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? 'chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
})
try {
  const page = await browser.newPage()
  const lines = []
  page.on('console', (line) => lines.push(line.text()))
  await page.setContent('<title>of a page</title><p>text</p>')
  assert.equal(await page.title(), 'of a page')
  assert.equal(await page.$eval('p', (element) => element.textContent), 'text')
  await page.evaluate(() => console.log('on the console'))
  assert.deepEqual(lines, ['on the console'])
  const long = 'é'.repeat(2_500_000)
  assert.equal(await page.evaluate((text) => text, long), long)
  const other = await puppeteer.connect({ browserWSEndpoint: browser.wsEndpoint() })
  assert.equal((await other.pages()).length, (await browser.pages()).length)
  await other.disconnect()
} finally {
  await browser.close()
}
