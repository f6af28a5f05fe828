/**
 * What publishes and receives, by one library.
 *
 * @typedef {object} Peer
 * @property {(broker: string, members: number, sink: import('./control.js').Sink) => Promise<void>} join
 *   makes as many members of the group `news`; resolves when messages arrive for them
 * @property {(raw: any) => string} textOf the text of what a member is given
 * @property {(broker: string) => Promise<(texts: string[]) => Promise<unknown>>} connectPublisher
 *   the function publishes to the group, all in this turn, and settles when the broker has taken them
 */

/**
 * @typedef {object} Burst
 * @property {number} messages
 * @property {number} perTurn
 * @property {number} bytes of a message
 * @property {number} milliseconds after which no more are published
 * @property {number} pause milliseconds between turns; 0 for the next turn of the event loop
 */

export {}
