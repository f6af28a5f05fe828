import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { SHORT_RUN } from './cases/compression.js'
import type { Behavior } from './judgement.js'
import type { ConformanceResult } from './suite.js'

const order: readonly Behavior[] = [
  'OK',
  'NON-STRICT',
  'INFORMATIONAL',
  'UNIMPLEMENTED',
  'WRONG CODE',
  'UNCLEAN',
  'FAILED BY CLIENT',
  'FAILED',
]

function isOk({ behavior, behaviorClose }: ConformanceResult): boolean {
  return behavior === 'OK' && behaviorClose === 'OK'
}

function count(results: readonly ConformanceResult[], key: 'behavior' | 'behaviorClose'): string {
  return order
    .map((behavior) => [behavior, results.filter((result) => result[key] === behavior).length] as const)
    .filter(([, number]) => number > 0)
    .map(([behavior, number]) => `${number} ${behavior}`)
    .join(', ')
}

function table(results: readonly ConformanceResult[]): string[] {
  const directions = ['server', 'client'] as const
  return directions.flatMap((direction) => {
    const own = results.filter((result) => result.direction === direction)
    if (own.length === 0) return []
    return [
      `${own[0]?.subject ?? ''} as ${direction}: ${own.length} cases`,
      `  messages  ${count(own, 'behavior')}`,
      `  closing   ${count(own, 'behaviorClose')}`,
      ...own
        .filter((result) => !isOk(result))
        .map(({ id, about, behavior, behaviorClose, detail }) => {
          const both = behavior === behaviorClose ? behavior : `${behavior} / ${behaviorClose}`
          return `  ${id.padEnd(8)}${both.padEnd(22)}${about}\n${' '.repeat(32)}${detail}`
        }),
      '',
    ]
  })
}

function footer(): string {
  if (process.env.CONFORMANCE_FULL === '1') return 'Full run: everything that the published list asks for.'
  return [
    `Short run: ${SHORT_RUN.small} messages in each case of sections 12 and 13 (${SHORT_RUN.large} where they are longer than`,
    '8 KiB) in place of 1000, and section 9 without its messages of 8 and 16 MiB.',
    'Everything: npm run conformance -- --full',
  ].join('\n')
}

/** Prints the verdicts of each direction, in Autobahn's terms, after a run with conformance cases. */
export default class ConformanceReporter implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const results = modules
      .flatMap((module) => [...module.children.allTests()])
      .map((test) => test.meta().conformance)
      .filter((result) => result !== undefined)
    if (results.length === 0) return
    this.#vitest?.logger.log(['', 'Conformance', '', ...table(results), footer()].join('\n'))
  }
}
