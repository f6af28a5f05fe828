"""HTTP and WebSocket, by their paths: daphne asgi:application"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
http = get_asgi_application()

# They need the settings.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from chat.authentication import JwtAuthentication  # noqa: E402
from chat.consumers import ChatConsumer  # noqa: E402
from django.urls import path  # noqa: E402

websocket = JwtAuthentication(URLRouter([path("ws/chat/<room>/", ChatConsumer.as_asgi())]))
application = ProtocolTypeRouter({"http": http, "websocket": AllowedHostsOriginValidator(websocket)})
