"""channels_redis with members that count: layer.py worker|publisher REDIS LAYER MEMBERS"""

import asyncio
import json
import re
import sys
import time

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

role, redis, kind, members = sys.argv[1:]
LAYERS = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}
TIME = re.compile(r"\d{16}")


def now():
    return time.monotonic_ns() // 1000


def say(value):
    print(json.dumps(value), flush=True)


async def lines():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()


class Sink:
    received = 0
    delays = None

    async def receive(self, layer, channel):
        while True:
            message = await layer.receive(channel)
            self.received += 1
            if self.delays is not None:
                self.delays.append(now() - int(TIME.search(message["text"]).group()))

    def answer(self, line):
        if line != "report":
            self.received = 0
            self.delays = [] if line == "measure" else None
        return {"received": self.received, "delays": self.delays}


async def work(layer):
    sink = Sink()
    tasks = []
    for _ in range(int(members)):
        channel = await layer.new_channel()
        await layer.group_add("news", channel)
        tasks.append(asyncio.create_task(sink.receive(layer, channel)))
    await asyncio.sleep(1)
    say("ready")
    async for line in lines():
        say(sink.answer(line))


async def publish(layer):
    async def send(size):
        text = str(now()).rjust(16, "0").ljust(size, ".")
        await layer.group_send("news", {"type": "news", "text": text})

    say("ready")
    async for line in lines():
        burst = json.loads(line)
        started = now()
        published = 0
        while published < burst["messages"] and now() - started < burst["milliseconds"] * 1000:
            await asyncio.gather(*(send(burst["bytes"]) for _ in range(burst["perTurn"])))
            published += burst["perTurn"]
            await asyncio.sleep(burst["pause"] / 1000)
        say({"published": published, "started": started})


async def main():
    layer = LAYERS[kind](hosts=[f"unix://{redis}"])
    await (work(layer) if role == "worker" else publish(layer))


asyncio.run(main())
