import { fileURLToPath } from 'node:url'
import { Program } from '../support/program.js'
import { programPath, type Requirement } from '../support/requirements.js'

/** Runs a script in python/ with a task in JSON. The script answers with lines of JSON. */
export function startPython(requirement: Requirement, script: string, task: object): Program {
  const path = fileURLToPath(new URL(`python/${script}`, import.meta.url))
  // -B writes no compiled files beside the sources.
  const program = new Program(programPath(requirement), ['-B', path])
  program.input(JSON.stringify(task))
  return program
}
