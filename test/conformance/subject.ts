/** The implementation that the cases test, as an echo in both roles. */
export interface Subject {
  readonly name: string
  /** Starts a server that sends each message back, with permessage-deflate for clients that offer it. */
  startEchoServer(): Promise<{ readonly port: number; close(): Promise<void> }>
  /** Runs a client that does the same on one connection. Resolves when it has closed, for whatever reason. */
  runEchoClient(url: string): Promise<void>
}

/** hubwire, unless CONFORMANCE_SUBJECT names another one in subjects/, which is used to check the harness itself. */
export async function loadSubject(): Promise<Subject> {
  const name = process.env.CONFORMANCE_SUBJECT ?? 'hubwire'
  const module = (await import(`./subjects/${name}.ts`)) as { subject: Subject }
  return module.subject
}
