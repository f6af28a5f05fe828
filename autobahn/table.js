import { compareIds, isGood } from './report.js'

/**
 * @typedef {import('./options.js').Direction} Direction
 * @typedef {import('./report.js').Report} Report
 */

/**
 * One table for all directions: the number of cases with each verdict, then each case that is not OK.
 *
 * @param {Map<Direction, Report>} reports
 * @returns {string}
 */
export function renderTable(reports) {
  const head = [
    '',
    ...[...reports.keys()].flatMap((direction) => [`${direction}: behavior`, 'behaviorClose']),
  ]
  const verdicts = [...reports.values()].map((report) => Object.values(report))
  const names = new Set(verdicts.flat().flatMap(({ behavior, behaviorClose }) => [behavior, behaviorClose]))
  const counts = [...names]
    .sort(okFirst)
    .map((name) => [
      name,
      ...verdicts.flatMap((all) => [
        count(all, ({ behavior }) => behavior === name),
        count(all, ({ behaviorClose }) => behaviorClose === name),
      ]),
    ])
  const total = ['cases', ...verdicts.flatMap((all) => [String(all.length), String(all.length)])]
  const rest = casesNotOk(reports)
  return align([head, ...counts, total, ...(rest.length > 0 ? [[], ...rest] : [])])
}

/** @param {Map<Direction, Report>} reports */
function casesNotOk(reports) {
  const ids = new Set([...reports.values()].flatMap((report) => Object.keys(report)))
  return [...ids].sort(compareIds).flatMap((id) => {
    const verdicts = [...reports.values()].map((report) => report[id])
    if (verdicts.every((verdict) => verdict?.behavior === 'OK' && verdict.behaviorClose === 'OK')) return []
    const cells = verdicts.flatMap((verdict) => [verdict?.behavior ?? '-', verdict?.behaviorClose ?? '-'])
    return [[id, ...cells, verdicts.every(isGood) ? '' : '<-']]
  })
}

/**
 * @template T
 * @param {T[]} all
 * @param {(one: T) => boolean} matches
 */
function count(all, matches) {
  return String(all.filter(matches).length)
}

/**
 * @param {string} one
 * @param {string} other
 */
function okFirst(one, other) {
  return Number(other === 'OK') - Number(one === 'OK') || one.localeCompare(other, 'en')
}

/** @param {string[][]} rows */
function align(rows) {
  const columns = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
