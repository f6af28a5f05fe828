import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** @type {string | undefined} */
let directory

/**
 * A directory with key.pem and cert.pem for 127.0.0.1, made once and removed when this process exits.
 *
 * @returns {string}
 */
export function certificateDirectory() {
  if (directory !== undefined) return directory
  const made = mkdtempSync(join(tmpdir(), 'hubwire-bench-'))
  directory = made
  process.on('exit', () => {
    rmSync(made, { recursive: true, force: true })
  })
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', join(made, 'key.pem'), '-out', join(made, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', ...kind, ...names, ...files], { stdio: 'ignore' })
  return directory
}
