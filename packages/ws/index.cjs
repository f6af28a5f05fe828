'use strict'

// The class itself is what is required; the rest hangs on it.
module.exports = require('./dist/ws/index.js').WebSocket
