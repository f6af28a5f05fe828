// node bench/micro/main.js MILLISECONDS: measures the functions on this version of Node.js and prints JSON.
import { measureSubjects } from './subjects.js'

process.stdout.write(`${JSON.stringify(await measureSubjects(Number(process.argv[2] ?? 500)))}\n`)
