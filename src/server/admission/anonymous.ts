/** Not a name: TypeScript must not take a user such as `{ user: 'ada' }` for this. */
const user: unique symbol = Symbol('user')

/** The type of {@link anonymous}. */
export interface Anonymous<User = undefined> {
  readonly [user]: User
}

/**
 * For `authenticate` to return: accepts a client that is nobody in particular. `socket.user` is `undefined`.
 *
 * ```js
 * authenticate: (request) => sessions.get(cookieToken(request, 'session')) ?? anonymous
 * ```
 */
export const anonymous: Anonymous = Object.freeze({ [user]: undefined })
