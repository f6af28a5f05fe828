import { Hub } from 'hubwire'

const MEMBERS = 1000

/** @typedef {import('hubwire').Member} Member */

/** @returns {Member} a member that is sent nothing and never closes */
function makeMember() {
  return { readyState: 1, deliver: () => true, close: () => {}, onceClosed: () => {} }
}

const members = Array.from({ length: MEMBERS }, makeMember)
const group = new Hub().group('all')

/** What a program does that keeps its groups itself: sets by name, and for each member the names that it must leave. */
const sets = /** @type {Map<string, Set<Member>>} */ (new Map())
const namesOf = /** @type {Map<Member, Set<string>>} */ (new Map())

/** @type {import('./subject.js').Subject} */
export const groups = {
  title: `${MEMBERS} members join a group and leave it`,
  cases: [
    {
      name: 'join and leave, each member',
      times: MEMBERS,
      contenders: {
        hubwire: () => {
          for (const member of members) group.add(member)
          for (const member of members) group.delete(member)
        },
        'Map and Set': () => {
          for (const member of members) join('all', member)
          for (const member of members) leave('all', member)
        },
      },
    },
  ],
}

/**
 * @param {string} name
 * @param {Member} member
 */
function join(name, member) {
  const set = sets.get(name) ?? new Set()
  sets.set(name, set.add(member))
  namesOf.set(member, (namesOf.get(member) ?? new Set()).add(name))
}

/**
 * @param {string} name
 * @param {Member} member
 */
function leave(name, member) {
  const set = sets.get(name)
  if (set?.delete(member) && set.size === 0) sets.delete(name)
  const names = namesOf.get(member)
  if (names?.delete(name) && names.size === 0) namesOf.delete(member)
}
