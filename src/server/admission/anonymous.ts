/** A symbol, so that TypeScript does not confuse a user such as `{ user: 'ada' }` with this type. */
const user: unique symbol = Symbol('user')

/** The type of {@link anonymous}. */
export interface Anonymous<User = undefined> {
  readonly [user]: User
}

/**
 * For `authenticate` to return: accepts a client without a user. `socket.user` is `undefined`.
 *
 * ```js
 * authenticate: (request) => sessions.get(cookieToken(request, 'session')) ?? anonymous
 * ```
 */
export const anonymous: Anonymous = Object.freeze({ [user]: undefined })
