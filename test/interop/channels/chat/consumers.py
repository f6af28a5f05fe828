"""One connection to a room."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class ChatConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.name = self.scope["user"]
        self.room = "chat_" + self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.tell({"type": "joined", "name": self.name})

    async def receive_json(self, content):
        if content["type"] == "ping":
            await self.send_json({"type": "pong"})
        else:
            await self.tell({"type": "message", "name": self.name, "text": content["text"]})

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)
        await self.tell({"type": "left", "name": self.name})

    async def tell(self, event):
        await self.channel_layer.group_send(self.room, {"type": "chat.event", "event": event})

    async def chat_event(self, message):
        await self.send_json(message["event"])
