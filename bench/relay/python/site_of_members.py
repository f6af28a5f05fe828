"""A worker with real clients, served by Daphne: the environment has REDIS and LAYER."""

import os

from django.conf import settings

LAYERS = {"core": "core.RedisChannelLayer", "pubsub": "pubsub.RedisPubSubChannelLayer"}
settings.configure(
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": f"channels_redis.{LAYERS[os.environ['LAYER']]}",
            "CONFIG": {"hosts": [f"unix://{os.environ['REDIS']}"]},
        }
    }
)

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402


class Member(AsyncWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add("news", self.channel_name)
        await self.accept()
        await self.send("joined")

    async def news(self, message):
        await self.send(message["text"])


application = Member.as_asgi()
