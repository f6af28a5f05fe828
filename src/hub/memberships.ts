import type { Member } from './member.js'

/** `readyState` of a member that has closed. */
const CLOSED = 3

/**
 * Who is in which group, from both sides. A group exists while it has members, and a member is known while it is in a
 * group. A member that closes leaves all of them.
 */
export class Memberships {
  readonly #members = new Map<string, Set<Member>>()
  readonly #names = new Map<Member, Set<string>>()
  /** Those whose end is listened for: once each, however often they leave and join. */
  readonly #watched = new WeakSet<Member>()
  /** What the members hold of a hub: one that is dropped must not live as long as they do. */
  readonly #self = new WeakRef(this)

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
    if (names === undefined) this.#names.set(member, new Set([name]))
    else names.add(name)
    if (this.#watched.has(member)) return
    this.#watched.add(member)
    const self = this.#self
    member.onceClosed(() => {
      self.deref()?.leaveAll(member)
    })
  }

  delete(name: string, member: Member): boolean {
    const names = this.#names.get(member)
    if (!names?.delete(name)) return false
    if (names.size === 0) this.#names.delete(member)
    this.#remove(name, member)
    return true
  }

  leaveAll(member: Member): void {
    const names = this.#names.get(member)
    if (names === undefined) return
    this.#names.delete(member)
    for (const name of names) this.#remove(name, member)
  }

  #remove(name: string, member: Member): void {
    const members = this.#members.get(name)
    members?.delete(member)
    if (members?.size === 0) this.#members.delete(name)
  }
}
