import { runAgainstClient } from './run-case.js'
import { loadSubject } from './subject.js'
import { declareCases } from './suite.js'

const subject = await loadSubject()

declareCases('client', subject.name, (testCase) => runAgainstClient(testCase, subject))
