import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Ability, PeerClient, PeerConnection, PeerServer } from './peer.js'
import { scenarios, type Agreement, type Scenario } from './scenarios.js'

interface Able {
  readonly abilities: ReadonlySet<Ability>
}

/** A server before it runs: its abilities are known when the tests are collected, its address is not. */
export interface PeerServerProgram extends Able {
  start(deflate: boolean): Promise<PeerServer>
}

/** Starts a server before the tests of this suite and stops it after them. */
export function serve(deflate: boolean, program: PeerServerProgram): () => PeerServer {
  let server: PeerServer | undefined
  beforeAll(async () => {
    server = await program.start(deflate)
  })
  afterAll(() => server?.stop())
  return () => {
    if (server === undefined) throw new Error('the server did not start')
    return server
  }
}

/** Every scenario that both sides support. The others are not declared as tests. */
export function scenariosFor(client: Able, server: Able): Scenario[] {
  return scenarios.filter(
    (scenario) =>
      (scenario.client ?? []).every((ability) => client.abilities.has(ability)) &&
      (scenario.server ?? []).every((ability) => server.abilities.has(ability)),
  )
}

/** What both sides negotiate when compression is enabled. */
export function agreement(deflate: boolean, client: Able, server: Able): Agreement {
  const extension = deflate && client.abilities.has('inflate') && server.abilities.has('inflate')
  return {
    extension,
    toServer: extension && client.abilities.has('deflate'),
    toClient: extension && server.abilities.has('deflate'),
  }
}

/** The URL of a scenario at a server, which records what it sees under the id. */
export function urlOf(scenario: Scenario, server: PeerServer): string {
  const url = new URL(scenario.path, server.url)
  url.searchParams.set('id', scenario.id)
  return url.href
}

/** One test for each scenario of a client in this process with a server. */
export function runScenarios(deflate: boolean, client: PeerClient, program: PeerServerProgram): void {
  const server = serve(deflate, program)

  test.for(scenariosFor(client, program))('$title', async (scenario) => {
    const connection = await client.open(urlOf(scenario, server()), scenario.protocols ?? [])
    const observed = await scenario.observe(impatient(connection))
    expect(observed).toEqual(scenario.expected(agreement(deflate, client, program)))
    connection.close(1000)
    await connection.closed
    await connection.settled?.()
    const close = await server().closeOf(scenario.id)
    if (scenario.serverSees) expect(close).toMatchObject(scenario.serverSees(client))
  })

  test('fails to connect when the handshake is refused', async () => {
    await expect(client.open(new URL('/refused', server().url).href, [])).rejects.toThrow()
  })
}

/** Rejects a pending wait for a message if the connection closes. */
function impatient(connection: PeerConnection): PeerConnection {
  const end = connection.closed.then(({ code, reason }) => {
    throw new Error(`no message: the connection was closed with ${code} ${reason}`)
  })
  end.catch(() => {})
  return { ...connection, nextMessage: () => Promise.race([connection.nextMessage(), end]) }
}
