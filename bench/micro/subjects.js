import { acceptHash } from './accept-hash.js'
import { decoding } from './decoding.js'
import { deflating } from './deflate.js'
import { groups } from './groups.js'
import { headerEncoding } from './header.js'
import { unmasking } from './masking.js'
import { runSubject } from './subject.js'
import { utf8 } from './utf8.js'

/**
 * Measures all subjects, one after the other.
 *
 * @param {number} time milliseconds for each contender
 * @param {(result: import('./subject.js').SubjectResult) => void} [progress]
 */
export async function measureSubjects(time, progress) {
  const results = []
  for (const subject of [headerEncoding, decoding, unmasking, utf8, groups, acceptHash, await deflating()]) {
    const result = await runSubject(subject, time)
    progress?.(result)
    results.push(result)
  }
  return results
}
