/** The most bytes of JSON with which a member describes itself. */
export const MAX_PRESENCE = 4096

/** The memory that the members of other nodes may take, in bytes: anyone can forge members. */
export const MAX_HELD: number = 64 * 1024 * 1024

/** What a node remembers for each member of another one besides its text, in bytes. */
const OVERHEAD = 100

/** A member that is present in a group. */
export interface Presence {
  /** Its number, which its node gives to no other member. */
  readonly id: number
  /** How it describes itself, as JSON. */
  readonly text: string
}

/** A member that is present in a group at another node. */
export interface RemotePresence extends Presence {
  readonly node: string
}

/** The members of a group at other nodes, and the ids of those whose members are not known for certain. */
export interface RemotePresences {
  readonly members: readonly RemotePresence[]
  readonly missing: readonly string[]
}

/** Who came to a group and who left it. A member that describes itself in another way has come. */
export interface PresenceChanges {
  readonly joined: readonly RemotePresence[]
  readonly left: readonly RemotePresence[]
}

/** The present members of this process, as a relay needs them. */
export interface LocalPresence {
  /** Those of a group, as they were last published. */
  present(name: string): Iterable<Presence>
  /** Whether changes have a listener. */
  isObserved(): boolean
  /** The groups that have members, present or not. */
  groupNames(): Iterable<string>
  /** Members of other nodes came or left. */
  changed(name: string, changes: PresenceChanges): void
}

/** The memory that a member takes. */
export function costOf(text: string): number {
  return OVERHEAD + text.length
}

/** Whether a text from the broker describes a member. */
export function isPresenceText(text: string): boolean {
  if (Buffer.byteLength(text) > MAX_PRESENCE) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
