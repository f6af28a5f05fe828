/** How exactly the application's options and answers are read: what differs between the entries of the package. */
export interface Strictness {
  /** Which answers of `verifyClient` admit a client: `true` only, or any truthy value as in `ws`. */
  readonly verifyClient: 'true' | 'truthy'
  /** Whether options are checked before anything else happens: their names, their types and their values. */
  readonly options: 'checked' | 'unchecked'
}

/** Only a clear yes is a yes, and what cannot work throws at once. */
export const STRICT: Strictness = { verifyClient: 'true', options: 'checked' }

/** What programs written for `ws` rely on. */
export const LENIENT: Strictness = { verifyClient: 'truthy', options: 'unchecked' }
