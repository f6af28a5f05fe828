import { describe, expect, test } from 'vitest'
import { setImmediate as immediate } from 'node:timers/promises'
import { type Flushable, flushAfterChunks, flushAfterTurn, inTurn } from '#src/sending/turn.js'
import { uncaught } from '../support/uncaught.js'

const chunk = Buffer.from('chunk')

function tick(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(() => {
      resolve()
    })
  })
}

/** Records its name when it is flushed, and then calls `react`. */
function named(name: string, flushed: string[], react = (): void => {}): Flushable {
  return {
    flush() {
      flushed.push(name)
      react()
    },
  }
}

describe('a turn', () => {
  test('ends with the tick and flushes everything that waits once', async () => {
    const flushed: string[] = []
    flushAfterTurn(named('one', flushed))
    flushAfterTurn(named('other', flushed))
    expect(flushed).toEqual([])
    await tick()
    expect(flushed).toEqual(['one', 'other'])
    await tick()
    expect(flushed).toEqual(['one', 'other'])
    flushAfterTurn(named('next', flushed))
    await tick()
    expect(flushed).toEqual(['one', 'other', 'next'])
  })

  test('ends with the chunk that is handled', () => {
    const flushed: string[] = []
    inTurn(flushed, chunk, (subject, bytes) => {
      expect(bytes).toBe(chunk)
      flushAfterTurn(named('one', subject))
      flushAfterTurn(named('other', subject))
      expect(subject).toEqual([])
    })
    expect(flushed).toEqual(['one', 'other'])
  })

  test('ends with the outer chunk if chunks are handled within each other', () => {
    const flushed: string[] = []
    inTurn(flushed, chunk, () => {
      inTurn(flushed, chunk, () => {
        flushAfterTurn(named('inner', flushed))
      })
      expect(flushed).toEqual([])
      flushAfterTurn(named('outer', flushed))
    })
    expect(flushed).toEqual(['inner', 'outer'])
  })

  test('includes what was waiting for the tick', async () => {
    const flushed: string[] = []
    flushAfterTurn(named('before', flushed))
    inTurn(flushed, chunk, () => {
      flushAfterTurn(named('within', flushed))
    })
    expect(flushed).toEqual(['before', 'within'])
    await tick()
    expect(flushed).toEqual(['before', 'within'])
  })

  test('ends even if the handler throws', async () => {
    const flushed: string[] = []
    expect(() => {
      inTurn(flushed, chunk, () => {
        flushAfterTurn(named('one', flushed))
        throw new Error('from a handler')
      })
    }).toThrow('from a handler')
    expect(flushed).toEqual(['one'])
    flushAfterTurn(named('later', flushed))
    expect(flushed).toEqual(['one'])
    await tick()
    expect(flushed).toEqual(['one', 'later'])
  })
})

describe('a flush', () => {
  test('includes what begins to wait during the flush', () => {
    const flushed: string[] = []
    inTurn(flushed, chunk, () => {
      flushAfterTurn(
        named('tunnel', flushed, () => {
          flushAfterTurn(named('what carries it', flushed))
        }),
      )
      flushAfterTurn(named('other', flushed))
    })
    expect(flushed).toEqual(['tunnel', 'other', 'what carries it'])
  })

  test('flushes nothing twice if it handles a chunk, as a stream within the process does', async () => {
    const flushed: string[] = []
    flushAfterTurn(
      named('one', flushed, () => {
        inTurn(flushed, chunk, () => {
          flushAfterTurn(named('answer', flushed))
        })
      }),
    )
    flushAfterTurn(named('other', flushed))
    await tick()
    expect(flushed).toEqual(['one', 'other', 'answer'])
  })

  test('includes what begins to wait after such a chunk', async () => {
    const flushed: string[] = []
    flushAfterTurn(
      named('one', flushed, () => {
        inTurn(flushed, chunk, () => {})
        flushAfterTurn(named('behind it', flushed))
      }),
    )
    await tick()
    await tick()
    expect(flushed).toEqual(['one', 'behind it'])
  })

  test('does not prevent other flushes if it throws', async () => {
    const errors = uncaught()
    const flushed: string[] = []
    flushAfterTurn(
      named('one', flushed, () => {
        throw new Error('from a flush')
      }),
    )
    flushAfterTurn(named('other', flushed))
    await tick()
    flushAfterTurn(named('later', flushed))
    await tick()
    expect(errors).toEqual([new Error('from a flush')])
    expect(flushed).toEqual(['one', 'other', 'later'])
  })
})

describe('the output of broadcasts', () => {
  test('waits for the chunks that have arrived, and is flushed once', async () => {
    const flushed: string[] = []
    for (const name of ['one', 'other']) {
      inTurn(flushed, chunk, () => {
        flushAfterChunks(named(name, flushed))
      })
    }
    await tick()
    expect(flushed).toEqual([])
    await immediate()
    await immediate()
    expect(flushed).toEqual(['one', 'other'])
  })

  test('does not wait for more than 64 chunks', async () => {
    const flushed: string[] = []
    flushAfterChunks(named('one', flushed))
    for (let handled = 1; handled < 64; handled++) inTurn(flushed, chunk, () => {})
    expect(flushed).toEqual([])
    inTurn(flushed, chunk, () => {
      flushAfterChunks(named('other', flushed))
    })
    expect(flushed).toEqual(['one', 'other'])
    inTurn(flushed, chunk, () => {
      flushAfterChunks(named('later', flushed))
    })
    expect(flushed).toEqual(['one', 'other'])
    await immediate()
    expect(flushed).toEqual(['one', 'other', 'later'])
  })

  test('does not include what begins to wait during the flush', async () => {
    const flushed: string[] = []
    flushAfterChunks(
      named('one', flushed, () => {
        flushAfterChunks(named('answer', flushed))
      }),
    )
    await immediate()
    expect(flushed).toEqual(['one'])
    await immediate()
    expect(flushed).toEqual(['one', 'answer'])
  })

  test('is flushed even if another flush throws', async () => {
    const errors = uncaught()
    const flushed: string[] = []
    flushAfterChunks(
      named('one', flushed, () => {
        throw new Error('from a flush')
      }),
    )
    flushAfterChunks(named('other', flushed))
    await immediate()
    await tick()
    expect(errors).toEqual([new Error('from a flush')])
    expect(flushed).toEqual(['one', 'other'])
  })
})
