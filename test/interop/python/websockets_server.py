"""Python's websockets in the server's role: behaves as ../peer.ts says, and prints how each connection was closed."""

import asyncio
import contextlib
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import websockets
from scenario_data import FRAGMENTS, PING_PAYLOAD, read_task, say


async def echo(connection, _query):
    async for message in connection:
        await connection.send(message)


async def fragments(connection, _query):
    async for _ in connection:
        await connection.send(FRAGMENTS)


async def ping(connection, _query):
    await (await connection.ping(PING_PAYLOAD))
    await connection.send(f"pong: {PING_PAYLOAD}")


async def close(connection, query):
    await connection.close(int(query["code"][0]), query["reason"][0])


BEHAVIOURS = {"/echo": echo, "/fragments": fragments, "/ping": ping, "/close": close}


async def serve_one(connection):
    url = urlsplit(connection.path)
    query = parse_qs(url.query)
    with contextlib.suppress(websockets.ConnectionClosed):
        await BEHAVIOURS[url.path](connection, query)
    await connection.wait_closed()
    say(id=query["id"][0], code=connection.close_code, reason=connection.close_reason)


async def refuse(path, _headers):
    if path.startswith("/refused"):
        return HTTPStatus.FORBIDDEN, [], b""


async def main():
    server = await websockets.serve(
        serve_one,
        "127.0.0.1",
        0,
        compression="deflate" if read_task()["deflate"] else None,
        max_size=None,
        subprotocols=["superchat"],
        process_request=refuse,
    )
    say(port=server.sockets[0].getsockname()[1])
    await server.wait_closed()


asyncio.run(main())
