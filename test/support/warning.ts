import { onTestFinished } from 'vitest'

type Warning = Error & { code?: string; detail?: string }

/**
 * The next warning of the process with this text in its message or its stack. The text must be the test's own: the files
 * of a worker share the process, and leftovers of other tests may emit warnings meanwhile.
 */
export function warningWith(text: string): Promise<Warning> {
  return new Promise((resolve) => {
    const take = (warning: Warning): void => {
      if (warning.message.includes(text) || warning.detail?.includes(text) === true) resolve(warning)
    }
    process.on('warning', take)
    onTestFinished(() => {
      process.off('warning', take)
    })
  })
}
