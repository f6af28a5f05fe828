"""Who may connect: the query has a JSON Web Token."""

from urllib.parse import parse_qs

import jwt
from channels.security.websocket import WebsocketDenier
from django.conf import settings


class JwtAuthentication:
    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        token = parse_qs(scope["query_string"].decode()).get("token", [""])[0]
        checks = {"require": ["sub", "exp"]}
        try:
            claims = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"], options=checks)
        except jwt.InvalidTokenError:
            return await WebsocketDenier()(scope, receive, send)
        return await self.application({**scope, "user": claims["sub"]}, receive, send)
