// node bench/report.js: writes results/load.md and results/load.svg again, from the measurements in results/load.json.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseJson } from './json.js'
import { chart } from './report/chart.js'
import { loadPage } from './report/load-tables.js'
import { writeResults } from './results-files.js'

const file = join(import.meta.dirname, 'results/load.json')
const results = /** @type {import('./load/bench.js').LoadResults} */ (parseJson(readFileSync(file, 'utf8')))
writeResults('load', true, { md: loadPage(results), svg: chart(results) })
