/** What the cases are run against: an implementation as an echo in both roles. */
export interface Subject {
  readonly name: string
  /** A server that sends each message back, with permessage-deflate for who offers it. */
  startEchoServer(): Promise<{ readonly port: number; close(): Promise<void> }>
  /** A client that does the same on one connection. Resolves when it has closed, for whatever reason. */
  runEchoClient(url: string): Promise<void>
}

/** hubwire, unless CONFORMANCE_SUBJECT names another one of subjects/: that is how the harness itself is checked. */
export async function loadSubject(): Promise<Subject> {
  const name = process.env.CONFORMANCE_SUBJECT ?? 'hubwire'
  const module = (await import(`./subjects/${name}.ts`)) as { subject: Subject }
  return module.subject
}
