/** The named parts of a path, as `socket.params` has them. */
export type Params = Readonly<Record<string, string>>

/** @internal */
export const NO_PARAMS: Params = Object.freeze({})

/** What a server knows of a connection beyond the handshake. @internal */
export interface Admission<User> {
  readonly params: Params
  readonly user: User
  readonly forwardedAddress: string | undefined
}
