import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeCertificate } from '../support/certificate.js'

/** Writes a certificate into a folder, and returns the lines of examples/nginx/tls.conf that name it. */
export function certificateLines(folder: string): { cert: string; lines: Readonly<Record<string, string>> } {
  const { cert, key } = makeCertificate()
  const paths = { cert: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') }
  writeFileSync(paths.cert, cert)
  writeFileSync(paths.key, key)
  const lines = {
    'ssl_certificate /etc/ssl/hubwire/certificate.pem;': `ssl_certificate ${paths.cert};`,
    'ssl_certificate_key /etc/ssl/hubwire/key.pem;': `ssl_certificate_key ${paths.key};`,
  }
  return { cert, lines }
}
