/** How often a property is tried: a few times in CI, and many with HUBWIRE_FULL=1 (`npm run full`). */
export function runs(few: number, many = few * 50): number {
  return process.env.HUBWIRE_FULL === '1' ? many : few
}
