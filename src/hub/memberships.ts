import type { Member } from './member.js'

/** `readyState` of a member that has closed. */
const CLOSED = 3

/** Removes the listeners that a garbage-collected hub has left on its members. */
const dropped = new FinalizationRegistry<ReadonlyMap<Member, () => void>>((watched) => {
  for (const stop of watched.values()) stop()
})

/** Observes which groups exist. */
export interface MembershipsWatcher {
  joined(name: string): void
  left(name: string): void
}

/**
 * Which member is in which group, indexed both ways. A group exists while it has members, and a member is known while
 * it is in a group. A member that closes leaves all of them.
 */
export class Memberships {
  /** Notified when a group gets its first member and loses its last one; for a hub with a relay. */
  watcher: MembershipsWatcher | undefined
  /** Called for each member that has left a group; for presence. */
  onRemoved: ((name: string, member: Member) => void) | undefined
  readonly #members = new Map<string, Set<Member>>()
  readonly #names = new Map<Member, Set<string>>()
  /** The function that stops watching each member, while it is in a group. */
  readonly #watched = new Map<Member, () => void>()
  /** Members whose `onceClosed` returned nothing. They are watched once each, however often they leave and join. */
  readonly #alwaysWatched = new WeakSet<Member>()
  /** The reference that members hold, so that an unused hub does not live as long as they do. */
  readonly #self = new WeakRef(this)

  constructor() {
    dropped.register(this, this.#watched)
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
    if (members === undefined) {
      this.#members.set(name, new Set([member]))
      this.watcher?.joined(name)
    } else members.add(member)
    const names = this.#names.get(member)
    if (names === undefined) this.#names.set(member, new Set([name]))
    else names.add(name)
    this.#watch(member)
  }

  delete(name: string, member: Member): boolean {
    const names = this.#names.get(member)
    if (!names?.delete(name)) return false
    this.#remove(name, member)
    if (names.size === 0) this.#forget(member)
    return true
  }

  leaveAll(member: Member): void {
    const names = this.#names.get(member)
    if (names === undefined) return
    for (const name of names) this.#remove(name, member)
    this.#forget(member)
  }

  #watch(member: Member): void {
    if (this.#watched.has(member) || this.#alwaysWatched.has(member)) return
    const self = this.#self
    const stop = member.onceClosed(() => {
      self.deref()?.leaveAll(member)
    })
    if (typeof stop === 'function') this.#watched.set(member, stop as () => void)
    else this.#alwaysWatched.add(member)
  }

  /** A member has left its last group. */
  #forget(member: Member): void {
    this.#names.delete(member)
    const stop = this.#watched.get(member)
    this.#watched.delete(member)
    stop?.()
  }

  #remove(name: string, member: Member): void {
    const members = this.#members.get(name)
    members?.delete(member)
    this.onRemoved?.(name, member)
    if (members?.size !== 0) return
    this.#members.delete(name)
    this.watcher?.left(name)
  }
}
