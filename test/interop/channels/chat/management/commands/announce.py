"""Sends an announcement to a room, from a process of its own."""

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("room")
        parser.add_argument("text")

    def handle(self, *args, room, text, **options):
        event = {"type": "announcement", "text": text}
        message = {"type": "chat.event", "event": event}
        async_to_sync(get_channel_layer().group_send)(f"chat_{room}", message)
