/** The options of both peers under test: compression with its defaults, but of messages of any length. */
export const connectionOptions = {
  perMessageDeflate: {
    threshold: 0,
    ...(process.argv.includes('--context-takeover') && {
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
    }),
  },
  // The length of the longest messages of the suite, in 9.1.6 and 9.2.6.
  maxPayload: 16 * 2 ** 20,
}
