import { buildSchema, type FormattedExecutionResult } from 'graphql'
import { createClient } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocket, WebSocketServer } from 'ws'

const server = new WebSocketServer({ port: 0, path: '/graphql' })
const disposable = useServer(
  {
    schema: buildSchema('type Query { hello: String }'),
    onConnect: ({ extra: { socket, request } }) => {
      socket.ping()
      const address: string | undefined = request.socket.remoteAddress
      return address !== undefined
    },
  },
  server,
)
const client = createClient({ url: 'ws://a.example', webSocketImpl: WebSocket })
export const results: AsyncIterable<FormattedExecutionResult> = client.iterate({
  query: '{ hello }',
})
void disposable.dispose()
