// Packages written for ws, installed once for each engine: with ws as npm has it, and with packages/ws in its place.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/** @typedef {'ws' | 'hubwire'} Engine */

const root = join(import.meta.dirname, '../..')
const LOCK = 'package-lock.json'

/**
 * The folder with the node_modules of an engine, installed if they are missing or not those of the lock file.
 *
 * @param {Engine} engine
 */
export function packagesOn(engine) {
  const folder = join(root, '.cache', 'bench-consumers', engine)
  const modules = join(folder, 'node_modules')
  if (!isCurrent(folder)) {
    mkdirSync(folder, { recursive: true })
    copyFileSync(join(import.meta.dirname, 'package.json'), join(folder, 'package.json'))
    install(folder)
    // npm overwrites nothing of this: the file is compared with the one of the repository.
    if (engine === 'hubwire') replaceWs(modules)
    copyFileSync(join(import.meta.dirname, LOCK), join(folder, LOCK))
  }
  return folder
}

/** @param {string} folder */
function isCurrent(folder) {
  const [installed, wanted] = [join(folder, LOCK), join(import.meta.dirname, LOCK)]
  return existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(wanted, 'utf8')
}

/** @param {string} folder */
function install(folder) {
  copyFileSync(join(import.meta.dirname, LOCK), join(folder, LOCK))
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status === 0) return
  rmSync(folder, { recursive: true })
  throw new Error('npm could not install bench/consumers/package.json')
}

/** @param {string} modules */
function replaceWs(modules) {
  const places = readdirSync(modules, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() && entry.name === 'ws' && entry.parentPath.endsWith('node_modules'),
    )
    .map((entry) => join(entry.parentPath, entry.name))
  for (const place of places) {
    rmSync(place, { recursive: true })
    symlinkSync(join(root, 'packages', 'ws'), place, 'junction')
  }
}
