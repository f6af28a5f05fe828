import { fileURLToPath } from 'node:url'
import { connect, type WebSocket } from 'hubwire'
import { expect, onTestFinished, test } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox } from '../support/inbox.js'
import { Program } from '../support/program.js'

test('closes one of 100 clients, and prints a stack with the user’s file to stderr (N2, N4)', async () => {
  const script = fileURLToPath(new URL('../server/programs/parses-messages.js', import.meta.url))
  const program = new Program(process.execPath, [script])
  onTestFinished(async () => {
    await program.stop('SIGKILL')
  })
  const [port] = await program.line(/(?<=listens on )\d+/)
  const clients = await Promise.all(
    Array.from({ length: 100 }, async () => connect(`ws://127.0.0.1:${port}`)),
  )
  const [bad, ...good] = clients as [WebSocket, ...WebSocket[]]
  const closed = closeOf(bad)
  bad.send('not json')
  expect(await closed).toMatchObject({ code: 1011 })
  await program.line(/\[HUBWIRE_HANDLER_FAILED\] HubwireWarning: A handler failed: Unexpected token/)
  await program.line(/at .*parsesMessages \(.*parses-messages\.js:\d+:\d+\)/)
  const answers = good.map((client) => inbox(client).next())
  for (const client of good) client.send('[1]')
  expect(await Promise.all(answers)).toEqual(good.map(() => '[1]'))
  await program.line(/failed handlers: 1, open: 99/)
  for (const client of good) client.terminate()
})
