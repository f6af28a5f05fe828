/**
 * The rows that the chart shows: bursts and single messages, short and long, one receiver and many.
 *
 * @type {readonly { heading: string, title: string }[]} title: how the title of the row begins
 */
export const CHART_ROWS = [
  { heading: 'Echo, 64 B, one at a time', title: 'echo, 64 B text, 1 in flight' },
  { heading: 'Fan-out to 1,000, one at a time', title: 'fan-out to 1000 members, 64 B text, 1 a tick' },
  { heading: 'Echo, 64 B, bursts of 16', title: 'echo, 64 B text, 16 in flight' },
  { heading: 'Fan-out to 1,000, bursts of 16', title: 'fan-out to 1000 members, 64 B text, 16 a tick' },
  { heading: 'Echo, 64 B, bursts of 64', title: 'echo, 64 B text, 64 in flight' },
  {
    heading: 'Compressed fan-out to 100, 1 KiB',
    title: 'compressed fan-out to 100 members, 1 KiB JSON, 1 a tick',
  },
  { heading: 'Echo, 16 KiB, one at a time', title: 'echo, 16 KiB text, 1 in flight' },
  { heading: 'Compressed echo, 1 KiB', title: 'compressed echo, 1 KiB JSON, 1 in flight' },
]

/** The peers in the order of the bars, with the names that readers know. */
export const CHART_PEERS = [
  { name: 'hubwire', label: 'hubwire', color: '#2563eb' },
  { name: 'ws', label: 'ws', color: '#94a3b8' },
  { name: 'ws+bufferutil', label: 'ws + bufferutil', color: '#94a3b8' },
  { name: 'websocket', label: 'websocket', color: '#94a3b8' },
  { name: 'bun', label: 'Bun (C++)', color: '#94a3b8' },
  { name: 'floor', label: 'bare node:net', color: '#cbd5e1' },
]
