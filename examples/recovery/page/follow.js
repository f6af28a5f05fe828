import { ReconnectingWebSocket } from 'hubwire/browser'

/**
 * Follows the news, and counts what it gets. Each connection begins behind the last message of the one before.
 *
 * @param {string} url
 * @param {import('hubwire/browser').ReconnectingOptions} [options]
 */
export function follow(url, options) {
  const counts = { connections: 0, messages: 0, missing: 0, twice: 0, reloads: 0 }
  const socket = new ReconnectingWebSocket(
    ({ position }) => `${url}?since=${encodeURIComponent(JSON.stringify(position ?? null))}`,
    {
      ...options,
      position: (data) => JSON.parse(String(data)).position,
      isRecovered: (data) => JSON.parse(String(data)).recovered,
    },
  )
  /** @type {number | undefined} */
  let last
  socket.addEventListener('message', ({ data }) => {
    const { text } = JSON.parse(String(data))
    if (text === undefined) {
      counts.connections++
      return
    }
    const number = Number(text.replace('message ', ''))
    counts.messages++
    if (last !== undefined && number > last + 1) counts.missing += number - last - 1
    if (last !== undefined && number <= last) counts.twice++
    last = number
  })
  // The history did not reach back to our position. A real page would load its state anew.
  socket.addEventListener('recovery', ({ recovered }) => {
    if (!recovered) {
      counts.reloads++
      last = undefined
    }
  })
  return { socket, counts }
}
