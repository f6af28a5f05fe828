"""Python's websockets in the client's role: runs the scenarios of ../scenarios.ts and says what it observed."""

import asyncio

import websockets
from scenario_data import (
    FRAGMENTS,
    LARGE_LENGTH,
    LENGTHS,
    PING_PAYLOAD,
    PIPELINED,
    TEXTS,
    describe_echo,
    describe_bytes,
    sample_bytes,
    read_task,
    report,
)


async def round_trips(connection, messages):
    observed = []
    for message in messages:
        await connection.send(message)
        observed.append(describe_echo(message, await connection.recv()))
    return observed


async def pipelined(connection):
    for number in range(PIPELINED):
        await connection.send(str(number))
    return [await connection.recv() for _ in range(PIPELINED)]


async def fragments_to_server(connection):
    await connection.send(FRAGMENTS)
    return await connection.recv()


async def fragments_to_client(connection):
    await connection.send("please")
    return await connection.recv()


async def ping_to_server(connection):
    # The library resolves the waiter of the ping whose payload comes back, and of no other.
    await (await connection.ping(PING_PAYLOAD))
    return PING_PAYLOAD


async def close_by_client(connection):
    await connection.close(4001, "Grüße")
    return connection.close_code


async def closed(connection):
    await connection.wait_closed()
    return {"code": connection.close_code, "reason": connection.close_reason}


async def subprotocol(connection):
    return connection.subprotocol


async def extension(connection):
    return any(extension.name == "permessage-deflate" for extension in connection.extensions)


async def bytes_on_the_wire(connection):
    message = "x" * 1024 * 1024
    await connection.send(message)
    return describe_bytes(message, await connection.recv(), await connection.recv())


SCENARIOS = {
    "text": lambda connection: round_trips(connection, TEXTS),
    "binary": lambda connection: round_trips(connection, map(sample_bytes, LENGTHS)),
    "large": lambda connection: round_trips(connection, ["x" * LARGE_LENGTH, sample_bytes(LARGE_LENGTH)]),
    "pipelined": pipelined,
    "fragments-to-server": fragments_to_server,
    "fragments-to-client": fragments_to_client,
    "ping-to-server": ping_to_server,
    "ping-to-client": lambda connection: connection.recv(),
    "close-by-client": close_by_client,
    "close-by-server": closed,
    "bare-close-by-server": closed,
    "subprotocol": subprotocol,
    "extension": extension,
    "bytes": bytes_on_the_wire,
}


async def visit(scenario, options):
    protocols = scenario["protocols"] or None
    async with websockets.connect(scenario["url"], subprotocols=protocols, **options) as connection:
        return await SCENARIOS[scenario["id"]](connection)


async def knock(url, options):
    try:
        await websockets.connect(url, **options)
    except websockets.InvalidStatusCode as error:
        return "refused" if error.status_code in (401, 403) else error.status_code


async def main():
    task = read_task()
    options = {"compression": "deflate" if task["deflate"] else None, "max_size": None}
    for scenario in task["scenarios"]:
        await report(scenario["id"], visit(scenario, options))
    await report("refused", knock(task["refused"], options))


asyncio.run(main())
