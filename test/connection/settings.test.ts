import { Hub, WebSocket, WebSocketServer } from 'hubwire'
import { describe, expect, test } from 'vitest'
import { HUBWIRE_PRESET } from '#src/connection/preset.js'
import { randomMaskingKey } from '#src/sending/masking-keys.js'
import {
  compressionFor,
  connectionSettings,
  type ConnectionOptions,
  deflateOptions,
} from '#src/connection/settings.js'
import { checkNumber } from '#src/options/checks.js'

describe('the settings of a connection', () => {
  test('are complete without any option', () => {
    const { heartbeat, ...settings } = connectionSettings({}, 'client')
    expect(heartbeat).toBeDefined()
    expect(settings).toEqual({
      decoder: {
        from: 'client',
        maxPayload: 1024 * 1024,
        maxFragments: 131_072,
        skipUTF8Validation: false,
        textType: 'string',
      },
      closeTimeout: 30_000,
      maxBufferedAmount: 16 * 1024 * 1024,
      slowPolicy: 'terminate',
      messageRate: undefined,
      controlFrameRate: { perSecond: 100, burst: 1000 },
      autoPong: true,
      traffic: { received: 0, sent: 0 },
      maskingKeys: undefined,
      preset: HUBWIRE_PRESET,
      onHandlerFailed: undefined,
    })
  })

  test('take the default for an option that is null or undefined', () => {
    const { heartbeat, ...defaults } = connectionSettings({}, 'client')
    const names = [...Object.keys(defaults.decoder), ...Object.keys(defaults), 'heartbeat', 'onHandlerFailed']
    for (const nothing of [null, undefined]) {
      const options = Object.fromEntries(names.map((name) => [name, nothing])) as ConnectionOptions
      const { heartbeat: other, ...settings } = connectionSettings(options, 'client')
      expect(settings).toEqual(defaults)
      expect(other).toEqual(heartbeat)
    }
  })

  test('take the values that are given', () => {
    const options = {
      maxPayload: 0,
      maxFragments: 1,
      closeTimeout: 0,
      maxBufferedAmount: 1,
      slowPolicy: 'skip',
      messageRate: { perSecond: 10 },
      controlFrameRate: false,
      autoPong: false,
      heartbeat: false,
      skipUTF8Validation: true,
      textType: 'buffer',
    } as const
    expect(connectionSettings(options, 'server', randomMaskingKey)).toEqual({
      decoder: {
        from: 'server',
        maxPayload: 0,
        maxFragments: 1,
        skipUTF8Validation: true,
        textType: 'buffer',
      },
      closeTimeout: 0,
      maxBufferedAmount: 1,
      slowPolicy: 'skip',
      messageRate: { perSecond: 10 },
      controlFrameRate: undefined,
      autoPong: false,
      traffic: { received: 0, sent: 0 },
      heartbeat: undefined,
      maskingKeys: randomMaskingKey,
      preset: HUBWIRE_PRESET,
      onHandlerFailed: undefined,
    })
  })
})

describe('throws a RangeError that names an option out of its range', () => {
  const wrong: [keyof ConnectionOptions, unknown][] = [
    ['maxPayload', -1],
    ['maxPayload', Number.NaN],
    ['maxPayload', '1 MiB'],
    ['maxFragments', 0],
    ['closeTimeout', -1],
    ['maxBufferedAmount', 0],
    ['messageRate', { perSecond: 0 }],
    ['messageRate', { perSecond: 10, burst: 0 }],
    ['controlFrameRate', {}],
    ['controlFrameRate', { perSecond: 0.5 }],
    ['heartbeat', { interval: 0 }],
    ['heartbeat', { timeout: -1 }],
  ]
  test.each(wrong)('for %s: %j, in a server and in a client', (name, value) => {
    const options = { [name]: value }
    for (const make of [
      () => new WebSocketServer({ noServer: true, ...options }),
      () => new WebSocket('ws://127.0.0.1:1', options),
    ]) {
      expect(make).toThrow(RangeError)
      expect(make).toThrow(name)
    }
  })

  test.each([
    { serverMaxWindowBits: 7 },
    { clientMaxWindowBits: 16 },
    { threshold: -1 },
    { zlibDeflateOptions: { level: 10 } },
    { zlibDeflateOptions: { memLevel: 0 } },
  ])('for perMessageDeflate: %j', (perMessageDeflate) => {
    expect(() => deflateOptions(perMessageDeflate)).toThrow(RangeError)
    expect(() => new WebSocketServer({ noServer: true, perMessageDeflate })).toThrow(RangeError)
    expect(() => new WebSocket('ws://127.0.0.1:1', { perMessageDeflate })).toThrow(RangeError)
  })

  test('with the value and the valid range', () => {
    expect(() => {
      checkNumber('maxPayload', '1' as unknown as number, 0)
    }).toThrow('maxPayload must be a number of at least 0; it is "1"')
    expect(() => {
      checkNumber('maxPayload', Number.POSITIVE_INFINITY, 0)
    }).not.toThrow()
    expect(() => new Hub({ maxBufferedAmount: 0.5 })).toThrow(
      'maxBufferedAmount must be a number of at least 1; it is 0.5',
    )
  })
})

test.each([
  ['slowPolicy', 'drop', "slowPolicy must be 'terminate' or 'skip'; it is \"drop\""],
  ['textType', 'utf8', "textType must be 'string' or 'buffer'; it is \"utf8\""],
])('refuses %s: %s and names the choices', (name, value, message) => {
  const options = { [name]: value } as ConnectionOptions
  expect(() => connectionSettings(options, 'client')).toThrow(new TypeError(message))
})

describe('permessage-deflate', () => {
  test('is off by default', () => {
    expect(deflateOptions()).toBeUndefined()
    expect(deflateOptions(false)).toBeUndefined()
    expect(deflateOptions(true)).toEqual({})
    expect(deflateOptions({ threshold: 0 })).toEqual({ threshold: 0 })
  })

  const parameters = {
    serverNoContextTakeover: true,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 10,
    clientMaxWindowBits: 12,
  }

  test('uses its own end’s half of the negotiated parameters', () => {
    const server = compressionFor(parameters, 'server', {})
    const client = compressionFor(parameters, 'client', {})
    expect(server.deflater.settings).toMatchObject({
      windowBits: 10,
      contextTakeover: false,
      threshold: 1024,
    })
    expect(client.deflater.settings).toMatchObject({ windowBits: 12, contextTakeover: true, threshold: 1024 })
  })

  test('takes threshold, level and memLevel from its own options', () => {
    const zlibDeflateOptions = { level: 1, memLevel: 3 }
    const { deflater } = compressionFor(parameters, 'server', { threshold: 5, zlibDeflateOptions })
    expect(deflater.settings).toMatchObject({ threshold: 5, level: 1, memLevel: 3 })
  })
})
