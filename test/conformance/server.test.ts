import { afterAll, beforeAll } from 'vitest'
import { runAgainstServer } from './run-case.js'
import { loadSubject } from './subject.js'
import { declareCases } from './suite.js'

const subject = await loadSubject()
let server: Awaited<ReturnType<typeof subject.startEchoServer>>

beforeAll(async () => {
  server = await subject.startEchoServer()
})
afterAll(() => server.close())

declareCases('server', subject.name, (testCase) => runAgainstServer(testCase, server.port))
