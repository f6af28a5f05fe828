import { figure, table, withSpread } from './format.js'

/**
 * Nanoseconds for each case and contender, and how many times as fast as ws hubwire is.
 *
 * @param {import('../micro/subject.js').SubjectResult} subject
 */
export function microTable({ title, cases }) {
  const names = Object.keys(cases[0]?.nanoseconds ?? {})
  const lines = cases.map(({ name, nanoseconds }) => {
    const { hubwire, ws } = nanoseconds
    const speed = hubwire && ws ? figure(ws.median / hubwire.median) : '–'
    return [name, ...names.map((contender) => withSpread(nanoseconds[contender] ?? null)), speed]
  })
  return `### ${title}\n\n${table(['', ...names.map((name) => `${name} ns`), 'hubwire × ws'], lines)}\n`
}
