import { hostname } from 'node:os'
import { encodeClose } from '../protocol/close-codes.js'
import { keyOf } from '../relay/channels.js'
import type { Reply } from '../relay/control.js'
import type { Answers } from '../relay/requests.js'
import type { Cluster } from './cluster.js'

/** Counts of all processes. */
export interface CountResult {
  /** The members in the nodes that answered. */
  total: number
  /** The members of each node that answered, by its id. */
  byNode: Record<string, number>
  /** The ids of the nodes that did not answer in time. */
  missing: string[]
}

/** The members that were closed in all processes. */
export interface CloseResult {
  /** The members that are closing, in the nodes that answered. */
  closed: number
  /** The members of each node that answered, by its id. */
  byNode: Record<string, number>
  /** The ids of the nodes that did not answer in time. Their members may have been closed or not. */
  missing: string[]
}

/** A process that shares the broker and the prefix. */
export interface HubNode {
  /** Its id, which is different for each hub that is created. */
  id: string
  /** Whether it is this hub. */
  isSelf: boolean
  /** The name of its host. */
  host: string
  /** The id of its process. */
  pid: number
  /** Groups that have members there. */
  groups: number
  /** Members of one group or more there. */
  members: number
}

/** The processes that share the broker and the prefix. */
export interface NodesResult {
  /** Those that answered; this one first. */
  nodes: HubNode[]
  /** The ids of those that did not answer in time. */
  missing: string[]
}

/** The id of a hub without a relay. */
export const LOCAL = 'local'

const ALONE: Answers = { replies: new Map(), lists: new Map(), missing: [] }

/** Counts the members of a group in all processes. */
export async function countMembers(
  cluster: Cluster | undefined,
  name: string,
  size: number,
): Promise<CountResult> {
  const answers = await (cluster?.node.ask({ ask: 'count', key: keyOf(name) }) ?? ALONE)
  const { byNode, total } = sum(cluster, size, answers.replies)
  return { total, byNode, missing: [...answers.missing] }
}

/** Closes the members of a group in all processes. */
export async function closeMembers(
  cluster: Cluster | undefined,
  name: string,
  closeHere: () => number,
  code: number | undefined,
  reason: string | undefined,
): Promise<CloseResult> {
  // An invalid code or reason closes no member in any process.
  encodeClose(code, reason)
  const answered = cluster?.node.ask({
    ask: 'close',
    key: keyOf(name),
    code: code ?? 0,
    reason: reason ?? '',
  })
  const here = closeHere()
  const { replies, missing } = await (answered ?? ALONE)
  const { byNode, total } = sum(cluster, here, replies)
  return { closed: total, byNode, missing: [...missing] }
}

/** Describes all processes. */
export async function describeNodes(
  cluster: Cluster | undefined,
  counts: { groupCount: number; memberCount: number },
): Promise<NodesResult> {
  if (cluster === undefined) {
    const { groupCount, memberCount } = counts
    const alone = { id: LOCAL, isSelf: true, host: hostname(), pid: process.pid }
    return { nodes: [{ ...alone, groups: groupCount, members: memberCount }], missing: [] }
  }
  const { replies, missing } = await cluster.node.ask({ ask: 'describe' })
  const others = Array.from(replies, ([id, { description }]) => ({ id, isSelf: false, ...description }))
  const self = { id: cluster.node.id, isSelf: true, ...cluster.node.describe() }
  return { nodes: [self, ...others], missing: [...missing] }
}

function sum(
  cluster: Cluster | undefined,
  here: number,
  replies: ReadonlyMap<string, Reply>,
): { byNode: Record<string, number>; total: number } {
  const byNode: Record<string, number> = { [cluster?.node.id ?? LOCAL]: here }
  let total = here
  for (const [id, { count }] of replies) {
    byNode[id] = count
    total += count
  }
  return { byNode, total }
}
