// Bundlers use this file for pages instead of the main entry, by the `browser` condition in package.json. It has the
// exports of that entry, so that the page can be built and then logs what to do.

const absent = undefined

export {
  absent as anonymous,
  absent as answerPings,
  absent as bearerToken,
  absent as connect,
  absent as ConnectError,
  absent as ConnectionError,
  absent as cookieToken,
  absent as createWebSocketStream,
  absent as default,
  absent as Group,
  absent as HandshakeError,
  absent as Hub,
  absent as listen,
  absent as ProtocolError,
  absent as queryToken,
  absent as Refusal,
  absent as refuse,
  absent as routes,
  absent as subprotocolToken,
  absent as WebSocket,
  absent as WebSocketServer,
}

throw new Error("'hubwire' runs on Node.js and not in pages: import from 'hubwire/browser' instead")
