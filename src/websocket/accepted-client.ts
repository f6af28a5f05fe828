/** The named parts of a path, for `socket.params`. */
export type Params = Readonly<Record<string, string>>

/** @internal */
export const NO_PARAMS: Params = Object.freeze({})

/** Properties of a server's connection that do not come from the handshake. @internal */
export interface AcceptedClient<User> {
  readonly params: Params
  readonly user: User
  readonly forwardedAddress: string | undefined
}
