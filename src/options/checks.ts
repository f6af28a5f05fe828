import { describe } from './describe.js'
import { ignore } from './ignore.js'

/** A rate limit. */
export interface Rate {
  /** The sustained rate per second. */
  perSecond: number
  /** How many may come at once after a pause; `perSecond` by default. */
  burst?: number
}

/** The longest delay of a timer in Node.js, in milliseconds; a longer one would become 1 ms. */
export const LONGEST_TIMER: number = 2 ** 31 - 1

/** Leaves out options that are `null`: like `undefined`, it asks for the default. */
export function withoutNulls<Options extends object>(options: Options): Options {
  const given = { ...options }
  for (const [name, value] of Object.entries(given)) if (value === null) Reflect.deleteProperty(given, name)
  return given
}

/**
 * Checks a boolean option. Text is refused, because `'false'` would count as true.
 *
 * @throws TypeError naming the option, its value and what to write
 */
export function checkBoolean(name: string, value: unknown): void {
  if (value === undefined || value === null || typeof value === 'boolean') return
  const remedy = value === 'false' || value === 0 || value === '' ? 'false' : 'true'
  throw new TypeError(`${name} must be true or false; it is ${describe(value)}: write ${name}: ${remedy}`)
}

/** @throws RangeError naming the option, its value and the valid range */
export function checkNumber(name: string, value: number, least: number): void {
  if (typeof value === 'number' && value >= least) return
  throw new RangeError(`${name} must be a number of at least ${least}; it is ${describe(value)}`)
}

/** @throws RangeError naming the option, its value and the valid range */
export function checkInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new RangeError(`${name} must be an integer from ${least} to ${most}; it is ${describe(value)}`)
}

/**
 * Checks a time. `Infinity` means no timer; any other value must be valid for a timer.
 *
 * @throws RangeError naming the option, its value and the valid range
 */
export function checkMilliseconds(name: string, value: number, least = 0): void {
  if (value === Infinity) return
  if (typeof value === 'number' && value >= least && value <= LONGEST_TIMER) return
  throw new RangeError(
    `${name} must be milliseconds from ${least} to ${LONGEST_TIMER}, or Infinity for no limit; it is ${describe(value)}`,
  )
}

/**
 * Checks the argument that has the options.
 *
 * @param call - what takes them, for the message
 * @param example - the options to write instead
 * @throws TypeError naming the call, its argument and what to write
 */
export function checkOptions(call: string, options: unknown, example: string): void {
  if (options === undefined || options === null || typeof options === 'object') return
  throw new TypeError(
    `${call} takes an object of options; it is given ${describe(options)}: write ${example}`,
  )
}

/**
 * @throws TypeError naming the option and its value, if it is no object
 * @throws RangeError naming the option, its value and what it may be
 */
export function checkRate(name: string, rate: Rate): void {
  if (typeof rate !== 'object') {
    throw new TypeError(
      `${name} must be { perSecond, burst }; it is ${describe(rate)}: write ${name}: { perSecond: 100 }`,
    )
  }
  const { perSecond, burst = perSecond } = rate
  if (typeof perSecond !== 'number' || !(perSecond > 0)) {
    throw new RangeError(`${name}.perSecond must be a number above 0; it is ${describe(perSecond)}`)
  }
  // With a burst below 1, the bucket would never hold a whole token.
  checkNumber(`${name}.burst`, burst, 1)
}

/** @throws TypeError naming the option, its value and its choices */
export function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return
  throw new TypeError(`${name} must be '${choices.join("' or '")}'; it is ${JSON.stringify(value)}`)
}

/**
 * Refuses the promise of a function that must answer at once.
 *
 * @param remedy - what to do instead
 * @throws TypeError naming the function
 */
export function checkNoPromise(name: string, answer: unknown, remedy = ''): void {
  if (typeof answer !== 'object' || answer === null || !('then' in answer)) return
  // The promise is not awaited, so its rejection must not become an unhandled one.
  Promise.resolve(answer).catch(ignore)
  throw new TypeError(`${name} returned a Promise, but must answer at once${remedy}`)
}
