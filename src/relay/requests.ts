import type { Question, Reply, Request } from './control.js'
import { MAX_PEERS, type Peers } from './peers.js'
import { costOf, MAX_HELD, type Presence } from './presence.js'
import type { PresenceList } from './presence-envelopes.js'

/** The answers of the other nodes, by their ids. */
export interface Answers {
  readonly replies: ReadonlyMap<string, Reply>
  /** The members that nodes have listed in front of their replies. */
  readonly lists: ReadonlyMap<string, readonly Presence[]>
  /** The ids of the nodes that did not answer. */
  readonly missing: readonly string[]
}

/** What requests require from their node. */
interface RequestsOptions {
  readonly peers: Peers
  readonly timeout: number
  /** Sends a request to all nodes. Resolves with the number of nodes that got it, this one included, if it is known. */
  readonly send: (request: Request) => Promise<number | undefined>
}

interface Pending {
  readonly replies: Map<string, Reply>
  readonly lists: Map<string, Presence[]>
  /** The memory that the lists take. */
  cost: number
  /** The nodes that should answer. */
  readonly awaited: Set<string>
  /** How many got the request; `undefined` until the broker has said so. */
  receivers: number | undefined
  readonly finish: () => void
}

/** Requests to all other nodes. A node that does not answer does not affect the answers of the others. */
export class Requests {
  readonly #options: RequestsOptions
  readonly #pending = new Map<number, Pending>()
  #id = 0

  constructor(options: RequestsOptions) {
    this.#options = options
  }

  /** Resolves when all nodes have answered, or after the timeout. */
  ask(question: Question): Promise<Answers> {
    const { peers, timeout, send } = this.#options
    const id = (this.#id = (this.#id + 1) % 2 ** 32)
    const awaited = new Set<string>()
    for (const peer of peers) if (peers.isAlive(peer)) awaited.add(peer.id)
    return new Promise((resolve) => {
      const replies = new Map<string, Reply>()
      const lists = new Map<string, Presence[]>()
      const finish = (): void => {
        if (!this.#pending.delete(id)) return
        clearTimeout(timer)
        const missing = [...peers].map((peer) => peer.id).filter((peer) => !replies.has(peer))
        resolve({ replies, lists, missing })
      }
      const pending: Pending = { replies, lists, cost: 0, awaited, receivers: undefined, finish }
      const timer = timeout === Infinity ? undefined : setTimeout(finish, timeout)
      this.#pending.set(id, pending)
      send({ id, question }).then(
        (receivers) => {
          // A relay that does not know it gives no hint of nodes that are not known yet.
          pending.receivers = receivers ?? 0
          finishIfAnswered(pending)
        },
        // It may have been sent or not. Nobody is waited for who may not have got it.
        finish,
      )
    })
  }

  answered(node: string, reply: Reply): void {
    const pending = this.#pending.get(reply.id)
    if (pending === undefined || pending.replies.size >= MAX_PEERS) return
    pending.replies.set(node, reply)
    pending.awaited.delete(node)
    finishIfAnswered(pending)
  }

  /** A node lists members in front of its reply. */
  listed(node: string, { id, members }: PresenceList): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    pending.cost += costOf('')
    for (const { text } of members) pending.cost += costOf(text)
    // Then a list is shorter than its reply says.
    if (pending.cost > MAX_HELD) return
    const list = pending.lists.get(node)
    if (list === undefined) pending.lists.set(node, [...members])
    else list.push(...members)
  }

  /** Ends all requests with the answers received so far. */
  finishAll(): void {
    for (const { finish } of [...this.#pending.values()]) finish()
  }
}

function finishIfAnswered({ awaited, receivers, replies, finish }: Pending): void {
  // The broker counts this node too. The number is only a hint: unknown nodes are waited for, but do not count as missing.
  if (awaited.size === 0 && receivers !== undefined && replies.size >= receivers - 1) finish()
}
