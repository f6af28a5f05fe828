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

/**
 * A table for each subject: a line for each case and contender, a column for each version of Node.js.
 *
 * @param {{ node: import('../load/node-versions.js').NodeVersion, subjects: import('../micro/subject.js').SubjectResult[] }[]} versions
 */
export function versionsTable(versions) {
  const columns = versions.map(({ node }) => `Node.js ${node.name}, ns`)
  const subjects = versions[0]?.subjects ?? []
  return subjects
    .map(({ title, cases }, index) => {
      const lines = cases.flatMap(({ name, nanoseconds }, at) =>
        Object.keys(nanoseconds).map((contender) => [
          `${name}: ${contender}`,
          ...versions.map(({ subjects }) =>
            withSpread(subjects[index]?.cases[at]?.nanoseconds[contender] ?? null),
          ),
        ]),
      )
      return `### ${title}\n\n${table(['', ...columns], lines)}\n`
    })
    .join('\n\n')
}
