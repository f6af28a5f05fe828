import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe } from 'vitest'
import { launchChromium } from '../support/chromium.js'
import { requires } from '../support/requirements.js'
import { chromiumClient } from './chromium-client.js'
import { eachCompression } from './compression.js'
import { hubwireServer } from './hubwire-server.js'
import { runPythonScenarios } from './python-client.js'
import { runScenarios } from './run-scenarios.js'
import { undiciClient } from './undici-client.js'
import { websocketClient } from './websocket-client.js'
import { wsClient } from './ws-client.js'

describe.each(eachCompression)('the hubwire server $compression and the client', ({ deflate }) => {
  describe('ws', () => {
    runScenarios(deflate, wsClient(deflate), hubwireServer)
  })

  describe('websocket', () => {
    runScenarios(deflate, websocketClient(), hubwireServer)
  })

  describe('undici', () => {
    runScenarios(deflate, undiciClient(), hubwireServer)
  })

  describe('Chromium', requires('chromium'), () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await launchChromium()
    })
    afterAll(() => browser.close())

    runScenarios(
      deflate,
      chromiumClient(() => browser),
      hubwireServer,
    )
  })

  describe('Python websockets', requires('python3-websockets'), () => {
    runPythonScenarios(
      deflate,
      {
        requirement: 'python3-websockets',
        script: 'websockets_client.py',
        abilities: new Set(['fragments', 'ping', '1005', 'inflate', 'deflate']),
      },
      hubwireServer,
    )
  })

  describe('Python autobahn', requires('python3-autobahn'), () => {
    runPythonScenarios(
      deflate,
      {
        requirement: 'python3-autobahn',
        script: 'autobahn_client.py',
        abilities: new Set(['fragments', 'ping', 'bare close', '1005', 'inflate', 'deflate']),
        closeAnswer: 1000,
      },
      hubwireServer,
    )
  })
})
