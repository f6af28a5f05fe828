import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** Starts an HTTP server on a free port of 127.0.0.1, until the test ends. */
export async function startHttp(listener?: RequestListener): Promise<{ http: Server; port: number }> {
  const http = createServer(listener).listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(() => {
    http.close()
    http.closeAllConnections()
  })
  return { http, port: (http.address() as AddressInfo).port }
}
