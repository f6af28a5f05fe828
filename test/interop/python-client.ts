import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Program } from '../support/program.js'
import type { Requirement } from '../support/requirements.js'
import type { PeerClient } from './peer.js'
import { startPython } from './python.js'
import { agreement, scenariosFor, serve, urlOf, type PeerServerProgram } from './run-scenarios.js'

/** A Python client library: a script in python/ that runs the given scenarios one after the other. */
export interface PythonClient extends Pick<PeerClient, 'abilities' | 'closeAnswer'> {
  readonly requirement: Requirement
  readonly script: string
}

/** One test for each scenario of a Python client with a server. */
export function runPythonScenarios(deflate: boolean, client: PythonClient, program: PeerServerProgram): void {
  const server = serve(deflate, program)
  const chosen = scenariosFor(client, program)
  let script: Program

  beforeAll(() => {
    script = startPython(client.requirement, client.script, {
      deflate,
      scenarios: chosen.map((scenario) => ({
        id: scenario.id,
        url: urlOf(scenario, server()),
        protocols: scenario.protocols ?? [],
      })),
      refused: new URL('/refused', server().url).href,
    })
  })
  afterAll(() => script.stop())

  const report = async (id: string): Promise<unknown> => {
    const { input } = await script.line(new RegExp(`^{"id": "${id}"`))
    return JSON.parse(input)
  }

  test.for(chosen)('$title', async (scenario) => {
    expect(await report(scenario.id)).toEqual({
      id: scenario.id,
      observed: scenario.expected(agreement(deflate, client, program)),
    })
    const close = await server().closeOf(scenario.id)
    if (scenario.serverSees) expect(close).toMatchObject(scenario.serverSees(client))
  })

  test('fails to connect when the handshake is refused', async () => {
    expect(await report('refused')).toEqual({ id: 'refused', observed: 'refused' })
  })
}
