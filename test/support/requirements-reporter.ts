/**
 * Says at the end of a run which tests did not run and why, so that a skipped test is never an unseen one.
 * With CI set, any test that did not run fails the run, but for those that the machine's kernel does not allow: no
 * package installs that.
 */
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node'

/** How the reason begins where a test may not run. */
export const DENIED = 'this machine does not allow'

export default class RequirementsReporter implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    // Whoever asks for some tests by name (`-t`) knows that the others do not run.
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
      this.#print('With CI set, what can run must run: the run fails.')
      process.exitCode = 1
    } else if (isAnyMissing) {
      this.#print('What comes from the system is installed by: bash scripts/install-system-packages.sh')
    }
  }

  #print(line: string): void {
    this.#vitest?.logger.log(line)
  }
}

function reasonOf(test: TestCase): string {
  const missing = test.meta().missing ?? []
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`
  const result = test.result()
  if (result.state === 'skipped' && result.note !== undefined) return result.note
  return test.options.mode === 'todo' ? 'marked as todo' : 'skipped in the code'
}
