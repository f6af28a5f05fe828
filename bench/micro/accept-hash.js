import { createHash } from 'node:crypto'
import { acceptKey } from 'hubwire/protocol'
import { KEY } from '../load/client/handshake.js'
import { repeated } from './repeated.js'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TIMES = 10

/**
 * ws does not export its function; this is the line that it consists of.
 *
 * @type {import('./subject.js').Subject}
 */
export const acceptHash = {
  title: 'Sec-WebSocket-Accept',
  cases: [
    {
      name: 'one key',
      times: TIMES,
      contenders: {
        hubwire: repeated(TIMES, () => acceptKey(KEY)),
        ws: repeated(TIMES, () =>
          createHash('sha1')
            .update(KEY + GUID)
            .digest('base64'),
        ),
      },
    },
  ],
}
