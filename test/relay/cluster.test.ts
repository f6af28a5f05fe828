import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { clusterRelay } from 'hubwire/cluster'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { WorkerReport } from '../support/relay-worker.js'
import { runs } from '../support/runs.js'

const WORKERS = 3
const MEMBERS = 20
const GROUPS = 10
const MESSAGES = runs(400)
const BATCH = 100

function start(program: string, ...args: string[]): ChildProcess {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), args)
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

async function nextOf(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as [unknown]
  return message
}

/** A primary with its workers. */
async function startCluster(): Promise<(command: string, value?: unknown) => Promise<unknown>> {
  const child = start('primary.js', String(WORKERS), String(MEMBERS), String(GROUPS))
  expect(await nextOf(child)).toEqual({ ready: Array.from({ length: WORKERS }, () => ({ ready: true })) })
  return async (command, value) => {
    const answer = nextOf(child)
    child.send({ command, value })
    return ((await answer) as { result: unknown }).result
  }
}

describe('a cluster', { timeout: runs(60_000) }, () => {
  test('gives each member each message of its groups exactly once and in order', async () => {
    const ask = await startCluster()
    const published = new Map<string, string[]>()
    for (let begin = 0; begin < MESSAGES; begin += BATCH) {
      const messages = Array.from({ length: BATCH }, (_, index) => {
        const group = `group ${(7 * (begin + index)) % GROUPS}`
        const text = `${begin + index}: ünïcode`
        published.set(group, [...(published.get(group) ?? []), text])
        return [group, text]
      })
      const results = (await ask('publish', messages)) as { relayed: boolean }[]
      expect(results.every(({ relayed }) => relayed)).toBe(true)
    }
    const reports = (await ask('report', (2 * MEMBERS * MESSAGES) / GROUPS)) as WorkerReport[]
    expect(reports).toHaveLength(WORKERS)
    for (const { gaps, received } of reports) {
      expect(gaps).toEqual([])
      for (const member of received) {
        for (const [group, texts] of member) expect(texts).toEqual(published.get(group))
      }
    }
    expect(await ask('end')).toBeNull()
  })

  test('keeps working without a worker that was killed', async () => {
    const ask = await startCluster()
    expect(await ask('count', 'group 0')).toMatchObject({ missing: [] })
    await ask('kill', 1)
    expect(await ask('publish', [['group 0', 'still here']])).toMatchObject([{ relayed: true }])
    const reports = (await ask('report', 4)) as WorkerReport[]
    expect(reports).toHaveLength(WORKERS - 1)
    for (const { gaps, received } of reports) {
      expect(gaps).toEqual([])
      const inGroup = received.flat().filter(([group]) => group === 'group 0')
      expect(inGroup.map(([, texts]) => texts)).toEqual(inGroup.map(() => ['still here']))
    }
    expect(await ask('end')).toBeNull()
  })

  test('delivers everything to a suspended worker when it resumes, without a gap', async () => {
    const ask = await startCluster()
    expect(await ask('count', 'group 0')).toMatchObject({ total: 2 * WORKERS * 2, missing: [] })
    await ask('signal', [1, 'SIGSTOP'])
    const { missing } = (await ask('count', 'group 0')) as { missing: string[] }
    expect(missing).toHaveLength(1)
    const texts = Array.from({ length: 50 }, (_, index) => `meanwhile ${index}`)
    const results = (await ask(
      'publish',
      texts.map((text) => ['group 0', text]),
    )) as { relayed: boolean }[]
    expect(results.every(({ relayed }) => relayed)).toBe(true)
    await ask('signal', [1, 'SIGCONT'])
    const reports = (await ask('report', 4 * texts.length)) as WorkerReport[]
    for (const { gaps, received } of reports) {
      expect(gaps).toEqual([])
      const inGroup = received.flat().filter(([group]) => group === 'group 0')
      expect(inGroup.map(([, got]) => got)).toEqual(inGroup.map(() => texts))
    }
    expect(await ask('end')).toBeNull()
  })
})

test('relays between the threads of a process, and lets the process exit when they have ended', async () => {
  const child = start('threads.js')
  const exit = once(child, 'exit')
  const texts = ['main', 'thread 1', 'thread 2']
  expect(await nextOf(child)).toEqual({ main: texts, threads: [texts, texts] })
  expect(await exit).toEqual([0, null])
})

test('refuses options that cannot be used', () => {
  expect(() => clusterRelay({ maxPayload: -1 })).toThrow(RangeError)
})
