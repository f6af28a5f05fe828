/**
 * Modules of Node.js that are loaded when they are first used. An `import` of them in an ES module evaluates all their
 * getters: that of `node:http` loads undici (28 ms and 1 MB on Node.js 26), that of `node:tls` parses the root
 * certificates (16 ms).
 *
 * @packageDocumentation
 */
import type * as Http from 'node:http'
import type * as Https from 'node:https'
import type * as Tls from 'node:tls'

export const http = (): typeof Http => process.getBuiltinModule('node:http')

export const https = (): typeof Https => process.getBuiltinModule('node:https')

export const tls = (): typeof Tls => process.getBuiltinModule('node:tls')
