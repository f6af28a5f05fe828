// Authentication with a JSON Web Token (RFC 7519), which `jose` verifies before the upgrade. /ws/echo is for programs and
// refuses with 401; /ws/page/echo is for web pages, which see a close code but no status. JWT_SECRET is the key of the
// signatures (HS256). PORT and HOST set the address.
import { createServer } from 'node:http'
import { errors, jwtVerify } from 'jose'
import { bearerToken, cookieToken, queryToken, refuse, subprotocolToken, WebSocketServer } from 'hubwire'

const { HOST = '127.0.0.1', PORT = '8000', JWT_SECRET = '' } = process.env
const key = new TextEncoder().encode(JWT_SECRET)
if (key.length < 32) throw new Error('JWT_SECRET must have at least 32 bytes (RFC 7518 section 3.2)')

/** @param {import('node:http').IncomingMessage} request */
const tokenOf = (request) =>
  bearerToken(request) ?? // Authorization: Bearer <token>
  subprotocolToken(request, 'jwt.') ?? // new WebSocket(url, ['echo', 'jwt.<token>'])
  cookieToken(request, 'jwt') ??
  queryToken(request, 'jwt') // proxies log URLs: use tokens that expire within a minute

/**
 * @param {string | undefined} token
 * @param {(problem: string) => import('hubwire').Refusal} refusal
 */
async function verify(token, refusal) {
  if (token === undefined) return refusal('The token is missing')
  try {
    const checks = { algorithms: ['HS256'], audience: 'echo', requiredClaims: ['sub', 'exp'] }
    const { payload } = await jwtVerify(token, key, checks)
    return { name: String(payload.sub), expires: Number(payload.exp) * 1000 }
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error // our own error: the client gets a 500, the server emits 'error'
    return refusal(error instanceof errors.JWTExpired ? 'The token has expired' : 'The token is not valid')
  }
}

const http = createServer((_request, response) => response.writeHead(404).end())
const programs = new WebSocketServer({
  server: http,
  path: '/ws/echo',
  authenticate: (request) =>
    verify(tokenOf(request), (problem) =>
      refuse(401, { body: `${problem}\n`, headers: { 'WWW-Authenticate': 'Bearer' } }),
    ),
})
const pages = new WebSocketServer({
  server: http,
  path: '/ws/page/echo',
  authenticate: (request) => verify(tokenOf(request), (problem) => refuse.close(4401, problem)),
})

const LONGEST_TIMER = 2 ** 31 - 1
for (const server of [programs, pages]) {
  server.on('connection', (socket) => {
    const { name, expires } = socket.user
    const life = Math.min(expires - Date.now(), LONGEST_TIMER)
    const expiry = setTimeout(() => socket.close(4401, 'The token has expired'), life)
    socket.on('close', () => clearTimeout(expiry))
    socket.send(`Hello ${name}`)
    socket.on('message', (data) => socket.send(data))
  })
}

http.listen(Number(PORT), HOST, () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  console.log(`The echo is at http://${HOST}:${port}/`)
})

async function stop() {
  http.close()
  const farewell = { code: 1001, reason: 'The server stops', timeout: 10_000 }
  await Promise.all([programs.shutdown(farewell), pages.shutdown(farewell)])
  http.closeAllConnections()
}
process.once('SIGTERM', () => void stop())
