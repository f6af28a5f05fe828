import { describe, expect, onTestFinished, test } from 'vitest'
import { ChatDemo } from '../support/chat-demo.js'
import { freePort } from '../support/free-port.js'
import { RedisServer } from '../support/redis-server.js'
import { requires } from '../support/requirements.js'
import { ChatClient, type ChatEvent } from './chat-client.js'

/** Two processes of the chat that share a Redis, as long as the test. */
async function startTwo(): Promise<{ redis: RedisServer; demos: [ChatDemo, ChatDemo] }> {
  const port = await freePort()
  const redis = await RedisServer.start('--port', String(port), '--bind', '127.0.0.1')
  const start = async (): Promise<ChatDemo> => {
    const demo = await ChatDemo.start(0, { REDIS_URL: `redis://127.0.0.1:${port}` })
    onTestFinished(async () => {
      await demo.program.stop('SIGKILL')
    })
    return demo
  }
  return { redis, demos: [await start(), await start()] }
}

/** A member that keeps the list of the members. */
class Guest {
  readonly client: ChatClient
  #members: unknown[] = []

  private constructor(client: ChatClient) {
    this.client = client
  }

  static async enter(demo: ChatDemo, name: string): Promise<Guest> {
    return new Guest(await ChatClient.open(demo.ws(`/ws/chat/constructor/?name=${name}`)))
  }

  /** The next event for which `isIt` is true. Skips the others. */
  async until(isIt: (event: ChatEvent) => boolean): Promise<ChatEvent> {
    for (;;) {
      const event = await this.client.nextEvent()
      const { type, members, member } = event
      if (type === 'connection_established') this.#members = members as unknown[]
      if (type === 'member_joined') this.#members.push(member)
      if (type === 'member_left') this.#members.splice(this.#members.indexOf(member), 1)
      if (isIt(event)) return event
    }
  }

  /** Waits until exactly these members are in the room. */
  async untilHere(...names: string[]): Promise<void> {
    await this.until(() => this.#members.toSorted().join() === names.join())
  }
}

describe('two processes with REDIS_URL', requires('redis-server'), () => {
  test('share the members and messages of their rooms', async () => {
    const { demos } = await startTwo()
    const ada = await Guest.enter(demos[0], 'Ada')
    await ada.untilHere('Ada')
    const ben = await Guest.enter(demos[1], 'Ben')
    await Promise.all([ada.untilHere('Ada', 'Ben'), ben.untilHere('Ada', 'Ben')])
    // Now both processes have subscribed to the group.
    await expect
      .poll(async () => {
        ada.client.send({ text: 'Are you there?', id: 1 })
        return (await ada.until(({ type }) => type === 'delivered')).relayed
      })
      .toBe(true)
    await ben.until(({ type }) => type === 'chat_message')
    ben.client.send({ text: 'Hello from the other process', id: 2 })
    expect(await ada.until(({ type }) => type === 'chat_message')).toEqual({
      type: 'chat_message',
      member: 'Ben',
      text: 'Hello from the other process',
      id: 2,
    })
    await ben.client.close()
    await ada.untilHere('Ada')
    await ada.client.close()
  })

  test('remove the members of a process that was killed or has stopped', async () => {
    const { demos } = await startTwo()
    const ada = await Guest.enter(demos[0], 'Ada')
    await Guest.enter(demos[1], 'Ben')
    await ada.untilHere('Ada', 'Ben')
    await demos[1].program.stop('SIGKILL')
    await ada.untilHere('Ada')
    expect(await demos[0].program.stop()).toEqual({ code: 0, signal: null })
  })

  test('continue separately while Redis is down', async () => {
    const { redis, demos } = await startTwo()
    const ada = await Guest.enter(demos[0], 'Ada')
    const ben = await Guest.enter(demos[1], 'Ben')
    await ada.untilHere('Ada', 'Ben')
    await redis.kill()
    const cyd = await Guest.enter(demos[0], 'Cyd')
    cyd.client.send({ text: 'Only here', id: 1 })
    expect(await cyd.until(({ type }) => type === 'delivered')).toMatchObject({ members: 1, relayed: false })
    await ada.until(({ text }) => text === 'Only here')
    await redis.restart()
    await ben.untilHere('Ada', 'Ben', 'Cyd')
    await Promise.all([ada, ben, cyd].map(({ client }) => client.close()))
  })
})

test('starts without Redis, and works within its process', async () => {
  const demo = await ChatDemo.start(0, { REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
  onTestFinished(async () => {
    await demo.program.stop('SIGKILL')
  })
  const ada = await Guest.enter(demo, 'Ada')
  const ben = await Guest.enter(demo, 'Ben')
  ben.client.send({ text: 'Hello' })
  expect(await ada.until(({ type }) => type === 'chat_message')).toMatchObject({ text: 'Hello' })
  expect(await demo.program.stop()).toEqual({ code: 0, signal: null })
})
