import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Example, type ExampleClient } from '../support/example.js'
import { readAnswer } from '../support/http-exchange.js'
import { refused } from '../support/refused.js'

let example: Example
beforeAll(async () => {
  example = await Example.start('express')
})
afterAll(() => example.program.stop())

/** Logs in, and returns the cookie as the browser would send it. */
async function login(name: string, to = example): Promise<string> {
  const body = new URLSearchParams({ name })
  const response = await fetch(to.http('/login'), { method: 'POST', body })
  expect(response.status).toBe(204)
  const [cookie = ''] = response.headers.getSetCookie()
  expect(cookie).toMatch(/^session=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/)
  return cookie.split(';')[0]!
}

/** Connects a reader of the news, and expects the welcome. */
async function reader(name: string, to = example): Promise<ExampleClient> {
  const client = await to.connect('/ws/news', { headers: { cookie: await login(name, to) } })
  expect(await client.received.next()).toBe(`Welcome, ${name}`)
  return client
}

function post(body: string, cookie: string): Promise<Response> {
  const headers = { cookie, 'content-type': 'text/plain' }
  return fetch(example.http('/news'), { method: 'POST', body, headers })
}

describe('over HTTP', () => {
  test('answers on the routes of Express as without hubwire', async () => {
    const page = await fetch(example.http('/'))
    expect(page.status).toBe(200)
    expect(page.headers.get('x-powered-by')).toBe('Express')
    expect(await page.text()).toBe('News at /ws/news\n')
    expect((await fetch(example.http('/nothing'))).status).toBe(404)
  })

  test('answers a plain request to the path of the WebSocket with 404', async () => {
    expect((await fetch(example.http('/ws/news'))).status).toBe(404)
  })

  test('requires a name to log in, and a login to post news', async () => {
    expect((await fetch(example.http('/login'), { method: 'POST' })).status).toBe(400)
    expect((await post('nothing', 'session=forged')).status).toBe(401)
  })
})

describe('over WebSocket', () => {
  test('sends posted news to all connected clients', async () => {
    const clients = [await reader('Ada'), await reader('Bob')]
    const response = await post('it works', await login('Eve'))
    expect(await response.json()).toEqual({ delivered: 2, skipped: 0 })
    for (const { socket, received, closed } of clients) {
      expect(await received.next()).toBe('Eve: it works')
      socket.close(1000)
      expect(await closed).toMatchObject({ code: 1000, wasClean: true })
    }
  })

  test.each([undefined, 'session=forged', 'other=1'])('refuses the cookie %j', async (Cookie) => {
    const answer = await refused(example.port, { Cookie }, 'GET /ws/news HTTP/1.1')
    expect(answer).toMatchObject({ status: 401, body: 'Log in first\n' })
  })

  test('refuses a page of another origin, even with a valid cookie', async () => {
    const fields = { Cookie: await login('Ada'), Origin: 'https://evil.example' }
    const answer = await refused(example.port, fields, 'GET /ws/news HTTP/1.1')
    expect(answer.status).toBe(403)
  })

  test('answers a path without a route with 404', async () => {
    expect((await refused(example.port, {}, 'GET /ws/nothing HTTP/1.1')).status).toBe(404)
  })
})

describe('on SIGTERM', () => {
  test('closes its clients with 1001 and exits', async () => {
    const stopping = await Example.forTest('express')
    await stopping.expectToStop(await reader('Ada', stopping), await reader('Bob', stopping))
  })

  test('answers a request that has already begun', async () => {
    const stopping = await Example.forTest('express')
    const ada = await reader('Ada', stopping)
    const socket = await halfALogin(stopping)
    const exit = stopping.program.stop('SIGTERM')
    expect((await ada.closed).code).toBe(1001)
    socket.write('name=Bob')
    expect((await readAnswer(socket)).status).toBe(204)
    expect(await exit).toEqual({ code: 0, signal: null })
  })
})

/** Begins a login: the server has read the header, and waits for the body. */
async function halfALogin(to: Example): Promise<Socket> {
  const socket = connect(to.port, '127.0.0.1')
  const fields = [
    'Host: 127.0.0.1',
    'Connection: close',
    'Content-Type: application/x-www-form-urlencoded',
    'Content-Length: 8',
    'Expect: 100-continue',
  ]
  socket.write(`POST /login HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  expect(chunk.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  return socket
}
