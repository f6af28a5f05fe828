// A query and a subscription.
import assert from 'node:assert/strict'
import { buildSchema } from 'graphql'
import { createClient } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocket, WebSocketServer } from '#engine'

const schema = buildSchema('type Query { hello: String } type Subscription { count: Int }')
const roots = {
  query: { hello: () => 'world' },
  subscription: {
    async *count() {
      for (let count = 1; count <= 5; count++) yield { count }
    },
  },
}
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/graphql' })
await new Promise((resolve) => server.once('listening', resolve))
const disposable = useServer({ schema, roots }, server)
const client = createClient({
  url: `ws://127.0.0.1:${server.address().port}/graphql`,
  webSocketImpl: WebSocket,
})
const results = []
for await (const result of client.iterate({ query: '{ hello }' })) results.push(result.data)
for await (const result of client.iterate({ query: 'subscription { count }' })) results.push(result.data)
assert.deepEqual(JSON.parse(JSON.stringify(results)), [
  { hello: 'world' },
  ...[1, 2, 3, 4, 5].map((count) => ({ count })),
])
await client.dispose()
await disposable.dispose()
