// node bench/chart.js: draws results/load.svg again, from the figures in results/load.json.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseJson } from './json.js'
import { chart } from './report/chart.js'
import { writeResults } from './results-files.js'

const file = join(import.meta.dirname, 'results/load.json')
const results = /** @type {import('./load/bench.js').LoadResults} */ (parseJson(readFileSync(file, 'utf8')))
writeResults('load', true, { svg: chart(results) })
