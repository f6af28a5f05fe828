/** The slots of a cluster. */
const SLOTS = 16_384

/** The slot of a hash tag: CRC-16/XMODEM, as the specification of Redis Cluster defines it. */
export function slotOf(tag: string): number {
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff
  }
  return crc % SLOTS
}

/**
 * A hash tag for each partition, whose slots are spread evenly: the masters of a cluster usually have ranges of slots
 * of the same size, and so they get as many partitions. They are the same in all processes.
 */
export function hashTags(partitions: number): string[] {
  const tags = new Map<number, string>()
  for (let number = 0; tags.size < partitions; number++) {
    const tag = String(number)
    const partition = Math.floor((slotOf(tag) * partitions) / SLOTS)
    if (!tags.has(partition)) tags.set(partition, tag)
  }
  return Array.from({ length: partitions }, (_, partition) => tags.get(partition)!)
}
