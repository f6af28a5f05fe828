/** What both peers under test run with: compression as it is by default, but for messages of any length. */
export const connectionOptions = {
  perMessageDeflate: {
    threshold: 0,
    ...(process.argv.includes('--context-takeover') && {
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
    }),
  },
  // The longest messages of the suite, those of 9.1.6 and 9.2.6, fit to the byte.
  maxPayload: 16 * 2 ** 20,
}
