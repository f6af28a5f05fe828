import { connect } from 'hubwire'
import { expect } from 'vitest'
import { closeOf } from '../support/close-of.js'
import { inbox } from '../support/inbox.js'
import type { RunningServer } from '../support/running-server.js'

/** Expects that a proxy forwards short and long messages and the close codes of both ends. */
export async function passesBothWays(url: string, running: RunningServer<undefined>): Promise<void> {
  for (const closing of ['client', 'server'] as const) {
    const [client, { socket }] = await Promise.all([connect(url), running.next()])
    const [atClient, atServer] = [inbox(client), inbox(socket)]
    const large = Buffer.alloc(300_000, 'x')
    client.send('Grüße')
    client.send(large)
    expect(await atServer.next()).toBe('Grüße')
    expect(large.equals((await atServer.next()) as Buffer)).toBe(true)
    socket.send(large)
    socket.send('Grüße zurück')
    expect(large.equals((await atClient.next()) as Buffer)).toBe(true)
    expect(await atClient.next()).toBe('Grüße zurück')

    const closes = Promise.all([closeOf(client), closeOf(socket)])
    ;({ client, server: socket })[closing].close(4321, `The ${closing} leaves`)
    const expected = { code: 4321, reason: `The ${closing} leaves`, wasClean: true }
    expect(await closes).toMatchObject([expected, expected])
  }
}
