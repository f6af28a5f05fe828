/** The messages that one case sends and receives. */
export interface Exchange {
  readonly binary: boolean
  readonly count: number
  message(index: number): Buffer
}

/** A small generator with a fixed seed, so that every run sends the same bytes. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return (value ^ (value >>> 14)) >>> 0
  }
}

const words =
  'harbour wire lantern Übergang signal copper naïve river ledger tide café window Straße anchor mast π rope'.split(
    ' ',
  )

const characterCount = 200_000

function textFrom(seed: number, piece: (word: string, value: number) => string): () => string {
  let whole = ''
  return () => {
    const next = generator(seed)
    while (whole.length < characterCount) {
      const value = next()
      whole += piece(words[value % words.length] ?? '', value >>> 8)
    }
    return whole
  }
}

function bytesFrom(seed: number, byte: (index: number, random: number) => number): () => Buffer {
  let whole: Buffer | undefined
  return () => {
    const next = generator(seed)
    whole ??= Buffer.from(Array.from({ length: characterCount }, (_, index) => byte(index, next())))
    return whole
  }
}

/** Five kinds of content which deflate to very different sizes. Made when first needed. */
export const contents = {
  json: textFrom(1, (word, value) => `{"name":"${word}","value":${value % 1000},"on":${value % 2}},\n`),
  bitmap: bytesFrom(2, (index, random) => ((index % 512) >> 2) + ((index >> 9) & 0x3f) + (random & 3)),
  prose: textFrom(3, (word, value) => (value % 11 === 0 ? `${word}.\n` : `${word} `)),
  html: textFrom(4, (word, value) => `<li class="item-${value % 40}"><a href="/${word}">${word}</a></li>\n`),
  document: bytesFrom(5, (index, random) => (index % 4096 < 512 ? 0x20 + (index % 16) : random & 0xff)),
} as const

export type ContentName = keyof typeof contents

function cut(from: number, length: number, whole: string | Buffer): Buffer {
  const start = from % whole.length
  const part = (begin: number, end?: number): Buffer =>
    typeof whole === 'string' ? Buffer.from(whole.slice(begin, end)) : whole.subarray(begin, end)
  const rest = start + length - whole.length
  return rest > 0 ? Buffer.concat([part(start), part(0, rest)]) : part(start, start + length)
}

/** `count` messages of `length` characters (bytes if binary), cut from the content one behind the other. */
export function messagesFrom(name: ContentName, binary: boolean, length: number, count: number): Exchange {
  return {
    binary,
    count,
    message: (index) => cut(index * length, length, contents[name]()),
  }
}

/** The same byte throughout. */
export function messagesOf(byte: number, binary: boolean, length: number, count: number): Exchange {
  return {
    binary,
    count,
    message: () => Buffer.alloc(length, byte),
  }
}
