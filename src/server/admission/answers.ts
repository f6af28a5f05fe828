import { describe } from '../../options/describe.js'

/**
 * Warns of unclear results of the application's checks, which refuse the client: once for each option of a server,
 * because any client can cause them.
 */
export class AnswerWarnings {
  readonly #warned = new Set<string>()

  /**
   * @param option - the option whose function returned the result
   * @param remedy - what it should return, as a sentence
   */
  warn(option: string, answer: unknown, remedy: string): void {
    if (this.#warned.has(option)) return
    this.#warned.add(option)
    process.emitWarning(
      `${option} answered ${describe(answer)}, which refuses the client. ${remedy} Shown once for each server.`,
      { type: 'HubwireWarning', code: 'HUBWIRE_UNCLEAR_ANSWER' },
    )
  }
}
