import type { Hub, JsonValue, PresenceChange } from 'hubwire'
import { until } from './event-loop.js'

/** The `'presence'` events of a hub, and who is present according to them. */
export class PresenceLog {
  readonly events: PresenceChange[] = []
  /** By group and id. */
  readonly present = new Map<string, Map<string, JsonValue>>()
  /** Members that left without having come, which there must not be. */
  readonly strangers: string[] = []

  constructor(hub: Hub) {
    hub.on('presence', (event) => {
      this.events.push(event)
      this.#take(event)
    })
  }

  /** The values of those present in a group, sorted. */
  in(group: string): JsonValue[] {
    return [...(this.present.get(group)?.values() ?? [])].sort()
  }

  /** Waits until exactly these are present in a group. */
  async until(group: string, ...data: JsonValue[]): Promise<void> {
    const expected = JSON.stringify(data.toSorted())
    await until(() => JSON.stringify(this.in(group)) === expected)
  }

  #take({ group, joined, left }: PresenceChange): void {
    const members = this.present.get(group) ?? new Map<string, JsonValue>()
    this.present.set(group, members)
    for (const { id, data } of joined) members.set(id, data)
    for (const { id } of left) if (!members.delete(id)) this.strangers.push(id)
  }
}
