import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Hub } from 'hubwire'
import { redisRelay } from 'hubwire/redis'
import { createClient } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'
import { runs } from '../support/runs.js'

const MEMBERS = 100
const GROUPS = 200
const MESSAGES = runs(2000)
const BATCH = 200

interface Report {
  gaps: number
  count: number
  received: [group: string, texts: string[]][][]
}

function workerAt(path: string): ChildProcess {
  const program = fileURLToPath(new URL('worker.js', import.meta.url))
  const worker = fork(program, [path, String(MEMBERS), String(GROUPS)])
  onTestFinished(async () => {
    if (worker.exitCode !== null || worker.signalCode !== null) return
    worker.kill('SIGKILL')
    await once(worker, 'exit')
  })
  return worker
}

async function messageOf(worker: ChildProcess): Promise<unknown> {
  const [message] = (await once(worker, 'message')) as [unknown]
  return message
}

test(
  'three processes: each member gets each message of its groups exactly once and in order',
  requires('redis-server'),
  async () => {
    const { path } = await RedisServer.start()
    const workers = [workerAt(path), workerAt(path), workerAt(path)]
    expect(await Promise.all(workers.map(messageOf))).toEqual(workers.map(() => ({ ready: true })))
    const hub = new Hub({ relay: redisRelay(createClient({ socket: { path, tls: false } })) })
    onTestFinished(() => hub.close())
    await hub.ready
    const published = new Map<string, string[]>()
    for (let start = 0; start < MESSAGES; start += BATCH) {
      const results = Array.from({ length: BATCH }, (_, index) => {
        const name = `group ${(13 * (start + index)) % GROUPS}`
        const text = `${name}: ${start + index}`
        published.set(name, [...(published.get(name) ?? []), text])
        return hub.publish(name, text)
      })
      expect((await Promise.all(results)).every(({ relayed }) => relayed)).toBe(true)
    }
    const perGroup = MESSAGES / GROUPS
    const reports = workers.map(messageOf)
    for (const worker of workers) worker.send({ expected: 2 * MEMBERS * perGroup })
    for (const report of (await Promise.all(reports)) as Report[]) {
      expect({ gaps: report.gaps, count: report.count }).toEqual({ gaps: 0, count: 2 * MEMBERS * perGroup })
      for (const member of report.received) {
        for (const [group, texts] of member) expect(texts).toEqual(published.get(group))
      }
    }
    await Promise.all(workers.map(async (worker) => worker.exitCode ?? (await once(worker, 'exit'))))
  },
)
