/// <reference types="node" preserve="true" />
/**
 * Relays messages between the hubs of the processes of `node:cluster`, and of worker threads, without a broker.
 *
 * @packageDocumentation
 */
import cluster from 'node:cluster'
import { isMainThread } from 'node:worker_threads'
import {
  type Relay,
  type RelayConnection,
  type RelayEvents,
  type RelayOptions,
  toRelaySettings,
} from '../relay.js'
import { PrimaryRelay } from './primary-relay.js'
import { routerOfProcess, VARIABLE } from './router.js'
import { WorkerRelay } from './worker-relay.js'

export type { Relay, RelayConnection, RelayEvents, RelayOptions }

/**
 * A relay for the workers of one primary, for `new Hub({ relay })`: the processes that `node:cluster` forks, and the
 * threads of `node:worker_threads`. The primary relays: call `clusterRelay()` there too, before it starts its workers,
 * even if it has no hub.
 *
 * The primary listens on a unix socket in a new temporary directory, on Windows on a named pipe, and passes its path to
 * the workers in the environment variable `HUBWIRE_CLUSTER`.
 *
 * @throws TypeError or RangeError when an option cannot be used
 * @throws Error in a worker whose primary has not called it
 */
export function clusterRelay(options?: RelayOptions | null): Relay {
  toRelaySettings(options)
  if (cluster.isPrimary && isMainThread) return new PrimaryRelay(routerOfProcess(), options)
  const path = process.env[VARIABLE]
  if (path !== undefined) return new WorkerRelay(path, options)
  throw new Error(
    `clusterRelay() cannot find its primary (${VARIABLE} is not set): ` +
      'call clusterRelay() in the primary too, before it starts its workers',
  )
}
