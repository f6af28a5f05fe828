'use strict'

// As with `ws`, a page has its own WebSocket, and a bundle for pages that calls this one has a mistake in it.
module.exports = function WebSocket() {
  throw new Error('ws does not work in a page: use its own WebSocket')
}
