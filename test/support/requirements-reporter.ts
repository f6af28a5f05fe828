/**
 * Lists at the end of a run the tests that did not run, each with the reason. With CI set, any such test fails the run,
 * except those that need what the operating system does not have or allow: no package installs that.
 */
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node'

/** How the reason begins if the operating system does not allow a test. */
export const DENIED = 'this machine does not allow'

export default class RequirementsReporter implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    // With `-t` the other tests are not expected to run.
    if (this.#vitest?.config.testNamePattern !== undefined) return

    const byReason = new Map<string, string[]>()
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const reason = reasonOf(test)
        byReason.set(reason, [
          ...(byReason.get(reason) ?? []),
          `${module.relativeModuleId} > ${test.fullName}`,
        ])
      }
    }
    if (byReason.size === 0) return

    this.#print('\nTests that did not run:')
    for (const [reason, names] of byReason) {
      this.#print(`  ${reason}`)
      for (const name of names) this.#print(`    ${name}`)
    }
    const isAnyMissing = [...byReason.keys()].some((reason) => !reason.startsWith(DENIED))
    if (process.env.CI && isAnyMissing) {
      this.#print('The run fails, because with CI set every test that can run must run.')
      process.exitCode = 1
    } else if (isAnyMissing) {
      this.#print('To install system packages: bash scripts/install-system-packages.sh')
    }
  }

  #print(line: string): void {
    this.#vitest?.logger.log(line)
  }
}

function reasonOf(test: TestCase): string {
  const { denied, missing = [] } = test.meta()
  if (denied !== undefined) return denied
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`
  const result = test.result()
  if (result.state === 'skipped' && result.note !== undefined) return result.note
  return test.options.mode === 'todo' ? 'marked as todo' : 'skipped in the code'
}
