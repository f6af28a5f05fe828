import { WebSocketServer } from 'hubwire'

const untracked = new WebSocketServer({ port: 0, clientTracking: false })
// error: 'untracked.clients' is possibly 'undefined'
untracked.clients.size
// error: Type 'false' is not assignable to type 'true'
new WebSocketServer<undefined>({ port: 0, clientTracking: false })
