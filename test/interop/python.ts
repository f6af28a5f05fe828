import { fileURLToPath } from 'node:url'
import { Program } from '../support/program.js'
import { programPath, type Requirement } from '../support/requirements.js'

/** Runs a script of python/ with a task, which it reads as JSON; it answers in lines of JSON. */
export function startPython(requirement: Requirement, script: string, task: object): Program {
  const path = fileURLToPath(new URL(`python/${script}`, import.meta.url))
  // -B: no compiled files beside the sources.
  const program = new Program(programPath(requirement), ['-B', path])
  program.input(JSON.stringify(task))
  return program
}
