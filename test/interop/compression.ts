/** With and without compression, for `describe.each`. */
export const eachCompression = [
  { compression: 'without compression', deflate: false },
  { compression: 'with permessage-deflate', deflate: true },
]
