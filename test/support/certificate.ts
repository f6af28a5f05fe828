import { generateKeyPairSync, sign } from 'node:crypto'

/** A key and a certificate for it, in PEM. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** One element of ASN.1's DER: a tag, a length and content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const length =
    body.length < 128 ? Buffer.of(body.length) : Buffer.of(0x82, body.length >> 8, body.length & 0xff)
  return Buffer.concat([Buffer.of(tag), length, body])
}

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17
const IP_ADDRESS = 0x87
const DNS_NAME = 0x82

/** By RFC 5280 and RFC 8410, already encoded. */
const COMMON_NAME = der(OBJECT_IDENTIFIER, Buffer.of(0x55, 4, 3))
const SUBJECT_ALT_NAME = der(OBJECT_IDENTIFIER, Buffer.of(0x55, 29, 17))
const ED25519 = der(SEQUENCE, der(OBJECT_IDENTIFIER, Buffer.of(0x2b, 101, 112)))

function utcTime(date: Date): Buffer {
  const digits = date.toISOString().replace(/\D/g, '').slice(2, 14)
  return der(UTC_TIME, Buffer.from(`${digits}Z`))
}

/** Creates a self-signed certificate for localhost and 127.0.0.1, valid from an hour ago for two hours. */
export function makeCertificate(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from('localhost')))))
  const hour = 3_600_000
  const names = der(
    SEQUENCE,
    der(DNS_NAME, Buffer.from('localhost')),
    der(IP_ADDRESS, Buffer.of(127, 0, 0, 1)),
  )
  const toSign = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.of(2))),
    der(INTEGER, Buffer.of(1)),
    ED25519,
    name,
    der(SEQUENCE, utcTime(new Date(Date.now() - hour)), utcTime(new Date(Date.now() + hour))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTET_STRING, names)))),
  )
  const signature = der(BIT_STRING, Buffer.of(0), sign(null, toSign, privateKey))
  const bytes = der(SEQUENCE, toSign, ED25519, signature).toString('base64')
  return {
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    cert: `-----BEGIN CERTIFICATE-----\n${bytes.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  }
}
