import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { Program } from './program.js'
import { DENIED } from './requirements-reporter.js'

/** How a process gets a network of its own, of which it may change the rules: as root, as anybody, by sudo. */
const WAYS: readonly [string, ...string[]][] = [
  ['unshare', '--net'],
  ['unshare', '--user', '--map-root-user', '--net'],
  ['sudo', '-n', 'unshare', '--net'],
]

/** Brings up the loopback and shows that there is a firewall, by a rule that concerns nobody. */
const PROBE = 'ip link set lo up && iptables -A INPUT -p tcp --dport 9 -j DROP'

let found: readonly [string, ...string[]] | false | undefined

/** Why nothing can be run in a network namespace with a firewall, if so. */
export function noNetworkNamespace(): string | undefined {
  found ??=
    WAYS.find(
      ([program, ...args]) =>
        spawnSync(program, [...args, 'sh', '-c', PROBE], { stdio: 'ignore' }).status === 0,
    ) ?? false
  return found === false ? `${DENIED} a network namespace with ip and iptables` : undefined
}

/** Runs a script of this repository in a network of its own, until the test ends. */
export function inNetworkNamespace(script: URL, ...args: string[]): Program {
  const reason = noNetworkNamespace()
  if (found === undefined || found === false) throw new Error(reason)
  const [program, ...way] = found
  const run = new Program(program, [...way, process.execPath, fileURLToPath(script), ...args])
  onTestFinished(async () => {
    await run.stop('SIGKILL')
  })
  return run
}
