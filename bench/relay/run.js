// npm run bench:relay: hubs of three processes, by each relay, beside Socket.IO's adapters and channels_redis.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeEnvironment } from '../environment.js'
import { parseJson } from '../json.js'
import { Child } from '../load/child.js'
import { figure, table, withSpread } from '../report/format.js'
import { spreadOf } from '../report/spread.js'
import { writeResults } from '../results-files.js'
import { Nats } from './brokers/nats.js'
import { Redis } from './brokers/redis.js'
import { CONTENDERS } from './contenders.js'
import { measure, WORKERS } from './measure.js'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    row: { type: 'string', default: '' },
    peers: { type: 'string', default: '' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
  },
})
const seconds = Number(values.seconds ?? (values.quick ? 0.5 : 1.2))
const groups = values.quick ? 10_000 : 100_000
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))

/** @type {import('./measure.js').Row[]} */
const ROWS = [
  { title: '1 message a turn, 64 B, a stub member at each worker', perTurn: 1, bytes: 64, members: 1 },
  { title: '1 message a turn, 1 KiB, a stub member at each worker', perTurn: 1, bytes: 1024, members: 1 },
  { title: '100 messages a turn, 64 B, a stub member at each worker', perTurn: 100, bytes: 64, members: 1 },
  {
    title: '100 messages a turn, 1 KiB, a stub member at each worker',
    perTurn: 100,
    bytes: 1024,
    members: 1,
  },
  { title: '1 message a turn, 64 B, 30 stub members at each worker', perTurn: 1, bytes: 64, members: 30 },
  {
    title: '1 message a turn, 64 B, 30 clients of each worker',
    perTurn: 1,
    bytes: 64,
    members: 30,
    isReal: true,
  },
  {
    title: '100 messages a turn, 64 B, 30 clients of each worker',
    perTurn: 100,
    bytes: 64,
    members: 30,
    isReal: true,
  },
].map((row) => ({ isReal: false, ...row }))

/** @typedef {import('./measure.js').Sample} Sample */

/** Socket.IO's packages, and the versions of everything. */
function install() {
  if (!existsSync(join(import.meta.dirname, 'socket-io/node_modules/socket.io'))) {
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
      cwd: join(import.meta.dirname, 'socket-io'),
      stdio: 'inherit',
    })
  }
  const versions = ['socket.io', '@socket.io/redis-adapter', '@socket.io/redis-streams-adapter']
    .map((name) => [name, join(import.meta.dirname, 'socket-io/node_modules', name)])
    .concat(
      ['redis', 'ioredis', '@nats-io/transport-node'].map((name) => [
        name,
        join(import.meta.dirname, '../../node_modules', name),
      ]),
    )
    .map(([name, path]) => {
      const { version } = /** @type {{ version: string }} */ (
        parseJson(readFileSync(join(path ?? '', 'package.json'), 'utf8'))
      )
      return `${name} ${version}`
    })
  const debian = ['python3-channels-redis', 'python3-django-channels', 'daphne']
  const { status, stdout } = spawnSync('dpkg-query', ['-W', ...debian], { encoding: 'utf8' })
  const packages = status === 0 ? stdout.trim().replaceAll('\t', ' ').split('\n') : []
  return [`Redis ${Redis.version()}`, `NATS ${Nats.version()}`, ...versions, ...packages].join(', ')
}

/** @param {Map<string, Sample[] | Error>} results by the name of the contender */
function tableOf(results) {
  const ours = results.get('hubwire')
  const lines = CONTENDERS.filter(({ name }) => results.has(name)).map(({ name, client }) => {
    const samples = results.get(name)
    if (!Array.isArray(samples)) return [name, client, `failed: ${samples?.message}`]
    /** @param {(sample: Sample) => number | null} figureOf */
    const cell = (figureOf) => withSpread(spreadOf(samples.map(figureOf)))
    const cost = (/** @type {Sample[] | Error | undefined} */ each) =>
      Array.isArray(each) ? (spreadOf(each.map(({ delivery }) => delivery))?.median ?? NaN) : NaN
    return [
      ...[name, client, cell(({ perSecond }) => perSecond), cell(({ delivery }) => 1e6 / delivery)],
      ...[cell(({ delivery }) => delivery), figure(cost(samples) / cost(ours))],
      ...[cell(({ publish }) => publish), cell(({ broker }) => broker)],
      ...[cell(({ p50 }) => milliseconds(p50)), cell(({ p99 }) => milliseconds(p99))],
      cell(({ lost }) => 100 * lost),
    ]
  })
  const head = ['messages/s', 'deliveries per CPU second', 'worker µs per delivery', '× hubwire']
  const rest = ['publisher µs per message', 'broker µs per message', 'p50 ms', 'p99 ms', '% lost']
  return table(['peer', 'client', ...head, ...rest], lines)
}

/** @param {number | null} microseconds */
function milliseconds(microseconds) {
  return microseconds === null ? null : microseconds / 1000
}

/** @param {'redis' | 'ioredis'} client */
async function measureGroups(client) {
  const redis = await Redis.start()
  const file = join(import.meta.dirname, 'groups.js')
  const child = new Child([process.execPath, '--expose-gc', file, client, redis.address, String(groups)])
  try {
    return /** @type {any} */ (parseJson(await child.line()))
  } finally {
    await child.end()
    await redis.end()
  }
}

const packages = install()
const environment = describeEnvironment(process.execPath)
const peers = CONTENDERS.filter(({ name }) => name.includes(values.peers))
const rows = ROWS.filter(({ title }) => title.includes(values.row))
const sections = []
const raw = []
for (const row of rows) {
  /** @type {Map<string, Sample[] | Error>} */
  const samples = new Map()
  for (let round = 0; round < rounds; round++) {
    for (const contender of peers) {
      if (row.isReal && contender.site === undefined) continue
      const before = samples.get(contender.name) ?? []
      if (before instanceof Error) continue
      try {
        samples.set(contender.name, [...before, await measure(contender, row, seconds)])
      } catch (error) {
        samples.set(contender.name, error instanceof Error ? error : new Error(String(error)))
      }
    }
  }
  const section = `## ${row.title}\n\n${tableOf(samples)}`
  console.log(`${section}\n`)
  sections.push(section)
  raw.push({ row, samples: Object.fromEntries(samples) })
}
if ('groups'.includes(values.row)) {
  const lines = []
  for (const client of /** @type {const} */ (['redis', 'ioredis'])) {
    const { joined, restored, heap, localHeap, rss } = await measureGroups(client)
    lines.push([
      client,
      ...[joined.milliseconds, joined.held, restored.milliseconds, restored.held].map(figure),
      ...[heap, localHeap, rss].map(figure),
    ])
  }
  const head = ['ready, ms', 'loop held, ms', 'restored, ms', 'loop held, ms', 'heap bytes each of the relay']
  const section = `## ${groups.toLocaleString('en')} groups with a member each\n\n${table(
    ['client', ...head, 'of a hub alone', 'resident bytes each of the relay'],
    lines,
  )}`
  console.log(`${section}\n`)
  sections.push(section)
}

const isComplete = !values.quick && values.row === '' && values.peers === ''
const { date, processor, cores, node } = environment
const page = `# Hubs of ${WORKERS} processes side by side

${date.slice(0, 10)}, ${processor}, ${cores} cores, Node.js ${node}, ${packages}

A publisher, a broker and ${WORKERS} workers, all on this machine; ${rounds} interleaved rounds: medians, with the lowest and the
highest in parentheses. Two significant digits.
[README.md](../README.md#hubs-of-several-processes) says what is measured.

${sections.join('\n\n')}
`
writeResults('relay', isComplete, { md: page, json: `${JSON.stringify({ environment, raw }, null, 2)}\n` })
