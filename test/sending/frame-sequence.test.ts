import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameSequence } from '#src/sending/frame-sequence.js'

function frame(text: string): FrameSequence {
  return new FrameSequence(Buffer.from(text), text.length)
}

describe('a sequence of frames', () => {
  test('is not a thenable (F37)', async () => {
    const sequence = frame('awaited')
    expect(await (sequence as unknown as Promise<FrameSequence>)).toBe(sequence)
  })

  test('returns a single frame without a copy', () => {
    const bytes = Buffer.from('frame')
    expect(new FrameSequence(bytes, 5).join()).toBe(bytes)
  })

  test('is the same object after the same frames', () => {
    const [one, two, three] = [frame('one '), frame('two '), frame('three')]
    const first = one.followedBy(two).followedBy(three)
    const second = one.followedBy(two).followedBy(three)
    expect(second).toBe(first)
    expect(second.join()).toBe(first.join())
    expect(first.join().toString()).toBe('one two three')
    expect(first.length).toBe(13)
    expect(one.followedBy(two).join().toString()).toBe('one two ')
  })

  test('is a different object after other frames', () => {
    const [one, two, three] = [frame('1'), frame('2'), frame('3')]
    const paths = [
      one.followedBy(two),
      one.followedBy(three),
      one.followedBy(two).followedBy(two),
      one.followedBy(one),
      two.followedBy(one),
    ]
    expect(paths.map((path) => path.join().toString())).toEqual(['12', '13', '122', '11', '21'])
    // A frame may be the first of one sequence and in the middle of another.
    expect(one.join().toString()).toBe('1')
    expect(two.followedBy(three).join().toString()).toBe('23')
  })
})

test('has the bytes of its frames, for any sequences', () => {
  const paths = fc.array(fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }), {
    minLength: 1,
    maxLength: 10,
  })
  fc.assert(
    fc.property(paths, (sequences) => {
      const texts = ['', 'a', 'bb', 'ccc', 'd'.repeat(200), 'e']
      const frames = texts.map(frame)
      // In turns, as broadcasts to several groups reach their members.
      const nodes: (FrameSequence | undefined)[] = sequences.map(() => undefined)
      for (let step = 0; step < 12; step++) {
        for (const [index, sequence] of sequences.entries()) {
          const next = frames[sequence[step] ?? -1]
          if (next !== undefined) nodes[index] = nodes[index]?.followedBy(next) ?? next
        }
      }
      for (const [index, sequence] of sequences.entries()) {
        const expected = sequence.map((number) => texts[number]).join('')
        expect(nodes[index]?.join().toString()).toBe(expected)
        expect(nodes[index]?.length).toBe(expected.length)
      }
    }),
  )
})
