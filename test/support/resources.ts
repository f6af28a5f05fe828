import { settled } from './event-loop.js'

/** Counts of what keeps the process alive, by kind: timers, sockets, jobs of the thread pool. */
export type Resources = ReadonlyMap<string, number>

export function activeResources(): Resources {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** What is there beyond what was there before, when all that has ended has had its turns to go. */
export async function newResources(before: Resources): Promise<[name: string, count: number][]> {
  for (let round = 0; round < 5; round++) await settled()
  return [...activeResources()]
    .map(([name, count]): [string, number] => [name, count - (before.get(name) ?? 0)])
    .filter(([, count]) => count > 0)
}
