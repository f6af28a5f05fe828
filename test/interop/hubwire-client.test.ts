import { describe } from 'vitest'
import { requires } from '../support/requirements.js'
import { eachCompression } from './compression.js'
import { hubwireClient, hubwireConnect } from './hubwire-client.js'
import { behindNginx } from './nginx.js'
import { hubwireServer } from './hubwire-server.js'
import { pythonWebsocketsServer } from './python-websockets-server.js'
import { runScenarios } from './run-scenarios.js'
import { wsServer } from './ws-server.js'

describe.each([
  { api: 'new WebSocket(url)', hubwire: hubwireClient },
  { api: 'connect(url)', hubwire: hubwireConnect },
])('the hubwire client with $api', ({ hubwire }) => {
  describe.each(eachCompression)('$compression and the server', ({ deflate }) => {
    describe('ws', () => {
      runScenarios(deflate, hubwire(deflate), wsServer)
    })

    describe('Python websockets', requires('python3-websockets'), () => {
      runScenarios(deflate, hubwire(deflate), pythonWebsocketsServer)
    })

    describe('hubwire behind nginx', requires('nginx'), () => {
      runScenarios(deflate, hubwire(deflate), behindNginx(hubwireServer))
    })
  })
})
