import { once } from 'node:events'
import { type Gap, Hub } from 'hubwire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Broker, brokersByClient } from '../support/brokers.js'
import { settled, until } from '../support/event-loop.js'
import { FakeMember } from '../support/fake-member.js'
import { requires } from '../support/requirements.js'

async function hubAt(broker: Broker): Promise<Hub> {
  const hub = new Hub({ relay: await broker.relay({ heartbeatInterval: 50 }) })
  onTestFinished(() => hub.close())
  return hub
}

/** Two hubs, and a member of the second in the group `news`. */
async function pair(broker: Broker): Promise<[Hub, Hub, FakeMember]> {
  const [one, other] = [await hubAt(broker), await hubAt(broker)]
  const member = new FakeMember()
  other.group('news').add(member)
  await Promise.all([one.ready, other.ready, other.group('news').ready])
  return [one, other, member]
}

const isConnected = (hub: Hub): boolean => hub.stats().relay?.connected === true

for (const { title, requirement, start } of brokersByClient) {
  describe(`with ${title}`, requires(requirement), () => {
    test('delivers locally while the broker is down, and reports a gap and relays again after its restart', async () => {
      const broker = await start()
      const [one, other, member] = await pair(broker)
      const here = new FakeMember()
      one.group('news').add(here)
      await one.group('news').ready
      await one.publish('news', 'before')
      await until(() => member.delivered.length === 1)
      await broker.kill()
      await until(() => !isConnected(one) && !isConnected(other))
      expect(await one.publish('news', 'meanwhile')).toEqual({ delivered: 1, skipped: 0, relayed: false })
      const gap = once(other, 'gap')
      await broker.restart()
      expect(await gap).toMatchObject([{ groups: ['news'] }])
      await until(() => isConnected(one) && isConnected(other))
      await other.group('news').ready
      expect(await one.publish('news', 'after')).toMatchObject({ relayed: true })
      await until(() => member.delivered.length === 2)
      expect(member.delivered).toEqual(['before', 'after'])
      expect(here.delivered).toEqual(['before', 'meanwhile', 'after'])
    })

    // Long before the 20 s after which a connection that does not answer is replaced.
    test(
      'reports relayed: false and a gap when a stalled broker is killed',
      { timeout: 15_000 },
      async () => {
        const broker = await start()
        const [one, other, member] = await pair(broker)
        const gaps: Gap[] = []
        other.on('gap', (gap) => gaps.push(gap))
        await broker.pause()
        const results = Promise.all(
          Array.from({ length: 50 }, (_, index) => one.publish('news', String(index))),
        )
        // They have been sent, and wait for an answer.
        await settled()
        await broker.kill()
        expect((await results).map(({ relayed }) => relayed)).toEqual(Array.from({ length: 50 }, () => false))
        await broker.restart()
        await until(() => gaps.length > 0)
        await until(() => isConnected(one) && isConnected(other))
        await other.group('news').ready
        await one.publish('news', 'last')
        await until(() => member.delivered.includes('last'))
        expect(member.delivered).toEqual(['last'])
      },
    )

    test('treats group names as opaque', async () => {
      const broker = await start()
      const [one, other] = [await hubAt(broker), await hubAt(broker)]
      const names = [
        ...['', '__proto__', '*', '>', '[a-z]?', '{a}', 'a b', 'a.b', 'a%25', 'a%', 'a%20b', '\u0000\t'],
        ...['\ud800', '\udfff', 'ü🙂', 'a\r\nb'],
      ]
      const members = names.map((name) => {
        const member = new FakeMember()
        other.group(name).add(member)
        return member
      })
      await Promise.all([one.ready, other.ready, ...names.map((name) => other.group(name).ready)])
      await Promise.all(names.map((name, index) => one.publish(name, String(index))))
      await until(() => members.every(({ delivered }) => delivered.length > 0))
      expect(members.map(({ delivered }) => delivered)).toEqual(names.map((_, index) => [String(index)]))
      expect(() => one.group('a'.repeat(1025))).toThrow(RangeError)
    })
  })
}
