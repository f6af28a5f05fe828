import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { describe, expect, onTestFinished, test } from 'vitest'
import { folder } from './install.js'

// Loaders that cannot require ES modules, with packages/ws in the place of ws.

const run = promisify(execFile)
const loaders = join(folder, 'loaders')

describe('a loader of CommonJS', () => {
  test('Jest runs tests of code that requires it', async () => {
    const jest = createRequire(import.meta.url).resolve('jest/bin/jest')
    const matching = ['--testMatch', '**/*.jest.cjs', '--json', '--no-cache', '--coverage=false']
    const { stdout } = await run(process.execPath, [jest, '--rootDir', loaders, ...matching], {
      cwd: loaders,
      timeout: 60_000,
    })
    expect(JSON.parse(stdout)).toMatchObject({ success: true, numPassedTests: 2, numTotalTests: 2 })
  })

  test.each([
    ['into one file', true],
    ['and leaves the packages outside', false],
  ])('esbuild writes CommonJS of it %s', async (_name, isWhole) => {
    const output = mkdtempSync(join(isWhole ? tmpdir() : loaders, 'hubwire-esbuild-'))
    onTestFinished(() => {
      rmSync(output, { recursive: true })
    })
    const outfile = join(output, 'main.cjs')
    const { warnings } = await build({
      entryPoints: [join(loaders, 'main.mjs')],
      outfile,
      bundle: true,
      format: 'cjs',
      platform: 'node',
      packages: isWhole ? 'bundle' : 'external',
      logLevel: 'silent',
    })
    expect(warnings).toEqual([])
    const { stdout } = await run(process.execPath, [outfile], { timeout: 30_000 })
    expect(JSON.parse(stdout)).toEqual({ text: 'echo', isServer: true })
  })
})
