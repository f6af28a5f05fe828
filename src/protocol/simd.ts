/** simd.wat as a module of 167 bytes, in base64; a test assembles it and compares. */
export const SIMD_MODULE: string =
  'AGFzbQEAAAABBwFgAn9/AX8DAgEABQQBAQEBBxECBm1lbW9yeQIABG1hc2sAAAp3AXUCA3sBfyABIABBA3R4/REhAiAAIAL9CwQAIAAgAv0L' +
  'BBAgAf0RIQIDQCAF/QAEACAC/VEhAyAEIAP9UCEEIAUgA/0LBAAgBf0ABBAgAv1RIQMgBCAD/VAhBCAFIAP9CwQQIAVBIGohBSAFIABJDQALIAT9' +
  'ZAs='

/** How many bytes are masked at a time: they fit in the first-level cache, and in the memory of one page. */
const BLOCK = 32 * 1024

/** The global `WebAssembly`, as far as it is used. */
export interface WebAssemblyGlobal {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> }
}

interface Simd {
  readonly memory: Buffer
  /** Masks the first `length` bytes of the memory; 0 if the result is ASCII. */
  readonly mask: (length: number, key: number) => number
}

/**
 * Prepares the module. `undefined` where that fails: `node --jitless` has no WebAssembly, and a limit of the address space
 * (`ulimit -v`) leaves no room for its memory, for which V8 reserves gigabytes of addresses.
 */
export function prepareSimd(webAssembly: WebAssemblyGlobal | undefined): Simd | undefined {
  if (webAssembly === undefined) return undefined
  try {
    const { exports } = new webAssembly.Instance(new webAssembly.Module(Buffer.from(SIMD_MODULE, 'base64')))
    const { buffer } = exports.memory as { buffer: ArrayBuffer }
    return { memory: Buffer.from(buffer), mask: exports.mask as Simd['mask'] }
  } catch {
    return undefined
  }
}

const simd = prepareSimd(Reflect.get(globalThis, 'WebAssembly') as WebAssemblyGlobal | undefined)

/** The shortest payload that is masked with SIMD: for fewer bytes, the two copies take longer than a loop. */
export function simdFrom(prepared: Simd | undefined): number {
  return prepared === undefined ? Number.POSITIVE_INFINITY : 256
}
export const SIMD_FROM: number = simdFrom(simd)

/** Their `copy` also copies from a plain Uint8Array, and needs no views, unlike `set`. */
const buffers = Buffer.prototype as Buffer

/**
 * Masks or unmasks `source[start, end)` to `target` at `offset`, which may be the same place. The bytes are copied to the
 * memory of the module and back.
 *
 * @returns 0 if the result is ASCII
 */
export function maskBySimd(
  target: Uint8Array,
  offset: number,
  source: Uint8Array,
  start: number,
  end: number,
  key: number,
): number {
  const { memory, mask } = simd!
  let seen = 0
  let to = offset
  for (let from = start; from < end; from += BLOCK) {
    const length = Math.min(BLOCK, end - from)
    buffers.copy.call(source, memory, 0, from, from + length)
    seen |= mask(length, key)
    memory.copy(target, to, 0, length)
    to += length
  }
  return seen
}
