import type { Member } from './member.js'

/** `readyState` of a member whose `'close'` was emitted. */
const CLOSED = 3

/**
 * Who is in which group, from both sides. A group exists while it has members, and a member is known while it is in a
 * group; whoever closes leaves all of them.
 */
export class Memberships {
  readonly #members = new Map<string, Set<Member>>()
  readonly #names = new Map<Member, Set<string>>()
  /** One listener for all members, which is called on the one that closed. */
  readonly #onClose: (this: Member) => void

  constructor() {
    const leaveAll = this.leaveAll.bind(this)
    this.#onClose = function (this: Member): void {
      leaveAll(this)
    }
  }

  /** The number of groups that have members. */
  get groupCount(): number {
    return this.#members.size
  }

  /** The number of members of one group or more. */
  get memberCount(): number {
    return this.#names.size
  }

  groupNames(): IterableIterator<string> {
    return this.#members.keys()
  }

  membersOf(name: string): ReadonlySet<Member> | undefined {
    return this.#members.get(name)
  }

  add(name: string, member: Member): void {
    if (member.readyState === CLOSED) return
    const members = this.#members.get(name)
    if (members === undefined) this.#members.set(name, new Set([member]))
    else members.add(member)
    const names = this.#names.get(member)
    if (names !== undefined) names.add(name)
    else {
      this.#names.set(member, new Set([name]))
      member.on('close', this.#onClose)
    }
  }

  delete(name: string, member: Member): boolean {
    const names = this.#names.get(member)
    if (!names?.delete(name)) return false
    if (names.size === 0) this.#forget(member)
    this.#remove(name, member)
    return true
  }

  leaveAll(member: Member): void {
    const names = this.#names.get(member)
    if (names === undefined) return
    this.#forget(member)
    for (const name of names) this.#remove(name, member)
  }

  #forget(member: Member): void {
    this.#names.delete(member)
    member.off('close', this.#onClose)
  }

  #remove(name: string, member: Member): void {
    const members = this.#members.get(name)
    members?.delete(member)
    if (members?.size === 0) this.#members.delete(name)
  }
}
