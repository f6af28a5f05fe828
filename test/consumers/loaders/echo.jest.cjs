const isomorphic = require('isomorphic-ws')
const { WebSocketServer } = require('ws')
const { echo } = require('./echo.cjs')

test('a server and a client of the required package talk to each other', async () => {
  expect(await echo()).toBe('echo')
})

test('a package that requires ws has the same class', () => {
  expect(isomorphic.Server).toBe(WebSocketServer)
})
