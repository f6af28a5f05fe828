import { environmentLine } from '../environment.js'
import { microTable } from '../report/micro-tables.js'
import { writeResults } from '../results-files.js'
import { acceptHash } from './accept-hash.js'
import { decoding } from './decoding.js'
import { deflating } from './deflate.js'
import { headerEncoding } from './header.js'
import { unmasking } from './masking.js'
import { runSubject } from './subject.js'
import { utf8 } from './utf8.js'

/**
 * hubwire's functions compared with those of ws and bufferutil, in this process.
 *
 * @param {import('../options.js').Options} options
 * @param {import('../environment.js').Environment} environment
 */
export async function benchMicro(options, environment) {
  const time = options.quick ? 60 : 500
  const subjects = []
  for (const subject of [headerEncoding, decoding, unmasking, utf8, acceptHash, await deflating()]) {
    const result = await runSubject(subject, time)
    console.log(microTable(result))
    subjects.push(result)
  }
  const page = [
    '# Functions side by side',
    environmentLine(environment),
    'Medians with the quartiles in parentheses, two significant digits.',
    ...subjects.map(microTable),
  ]
  const json = JSON.stringify({ environment, subjects }, null, 2)
  writeResults('micro', !options.quick, { json: `${json}\n`, md: page.join('\n\n') })
}
