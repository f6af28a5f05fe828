import { randomUUID } from 'node:crypto'

/** Milliseconds between the messages of a process, and of silence after which a process is forgotten. */
const INTERVAL = 1000
const SILENCE = 5000
/** Milliseconds for which changes are collected. After a restart, all members of a server join at once. */
const GATHERING = 50

/** @typedef {{ id: string, room: string, name: string, since: number }} Person */

/**
 * Knows who is in which room, in all processes. A process sends the list of its own members to the others after a change,
 * and every second. So a lost message is soon replaced, and the members of a killed process are removed. For many thousands
 * of members, send only the changes, and the whole list less often.
 */
export class Roster {
  #id = randomUUID()
  /** @type {Map<string, Person>} by their ids */
  #here = new Map()
  /** @type {Map<string, { people: Map<string, Person>, heardAt: number }>} by the ids of processes */
  #elsewhere = new Map()
  /** @type {NodeJS.Timeout | undefined} */
  #gathering
  #processes
  #onChange
  #timer
  /** This process as a member of a group. Any object with these properties can be one. */
  #self = {
    readyState: 1,
    /** @param {import('hubwire').PreparedMessage} message */
    deliver: ({ payload }) => {
      this.#hear(JSON.parse(String(payload)))
      return true
    },
    close: () => undefined,
    onceClosed: () => undefined,
  }

  /**
   * @param {import('hubwire').Hub<any>} hub - connects the processes
   * @param {(type: 'member_joined' | 'member_left', person: Person) => void} onChange - called for the members of all processes
   */
  constructor(hub, onChange) {
    this.#processes = hub.group('processes').add(this.#self)
    this.#onChange = onChange
    this.#timer = setInterval(() => {
      this.#forget()
      this.#tell()
    }, INTERVAL).unref()
  }

  /**
   * @param {string} room
   * @param {string} name
   * @returns {() => void} removes the person
   */
  join(room, name) {
    const person = { id: randomUUID(), room, name, since: Date.now() }
    this.#here.set(person.id, person)
    this.#changed('member_joined', person)
    return () => {
      this.#here.delete(person.id)
      this.#changed('member_left', person)
    }
  }

  /** The names, in the order of joining. @param {string} room */
  namesIn(room) {
    const everywhere = [this.#here, ...Array.from(this.#elsewhere.values(), ({ people }) => people)]
    const people = everywhere.flatMap((each) => [...each.values()]).filter((person) => person.room === room)
    return people.sort((one, other) => one.since - other.since).map(({ name }) => name)
  }

  /** Sends the last list, which is empty when the servers are closed. */
  close() {
    clearInterval(this.#timer)
    this.#tell()
  }

  /** @param {'member_joined' | 'member_left'} type @param {Person} person */
  #changed(type, person) {
    this.#onChange(type, person)
    this.#tellSoon()
  }

  #tellSoon() {
    this.#gathering ??= setTimeout(() => this.#tell(), GATHERING).unref()
  }

  #tell() {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    const message = { id: this.#id, people: [...this.#here.values()] }
    this.#processes.broadcast(JSON.stringify(message), { except: this.#self })
  }

  /** @param {{ id: string, people: Person[] }} message */
  #hear({ id, people }) {
    const before = this.#elsewhere.get(id)?.people
    const now = new Map(people.map((person) => [person.id, person]))
    this.#elsewhere.set(id, { people: now, heardAt: Date.now() })
    this.#compare(before ?? new Map(), now)
    if (before === undefined) this.#tellSoon() // a new process does not know the members of this one
  }

  #forget() {
    for (const [id, { people, heardAt }] of this.#elsewhere) {
      if (Date.now() - heardAt < SILENCE) continue
      this.#elsewhere.delete(id)
      this.#compare(people, new Map())
    }
  }

  /** @param {Map<string, Person>} before @param {Map<string, Person>} now */
  #compare(before, now) {
    for (const [id, person] of now) if (!before.has(id)) this.#onChange('member_joined', person)
    for (const [id, person] of before) if (!now.has(id)) this.#onChange('member_left', person)
  }
}
