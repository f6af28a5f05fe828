import { chromium, type Browser } from 'playwright-core'
import { programPath } from './requirements.js'

/** Debian's Chromium without a window. It has no sandbox, which root in a container cannot have, and calls nobody. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: programPath('chromium'),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
