"""Autobahn in the client's role: runs the scenarios of ../scenarios.ts and says what it observed."""

import asyncio

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)
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


class Connection(WebSocketClientProtocol):
    """Its callbacks as queues and futures, which a scenario awaits."""

    def __init__(self):
        super().__init__()
        loop = asyncio.get_running_loop()
        self.opened = loop.create_future()
        self.closed = loop.create_future()
        self.pong = loop.create_future()
        self.messages = asyncio.Queue()

    def onOpen(self):
        self.opened.set_result(True)

    def onMessage(self, payload, isBinary):
        self.messages.put_nowait(payload if isBinary else payload.decode())

    def onPong(self, payload):
        self.pong.set_result(payload.decode())

    def onClose(self, wasClean, code, reason):
        if not self.opened.done():
            self.opened.set_result(False)
        # After a Close frame without a status it hands on None.
        self.close_observed = {"code": self.remoteCloseCode or 1005, "reason": self.remoteCloseReason or ""}
        # Clean includes that the server was the first to end the TCP connection (RFC 6455 section 7.1.1).
        self.closed.set_result("clean" if wasClean else reason)

    def send(self, message):
        binary = isinstance(message, bytes)
        self.sendMessage(message if binary else message.encode(), isBinary=binary)

    async def recv(self):
        return await self.messages.get()


async def connect(url, protocols, deflate):
    factory = WebSocketClientFactory(url, protocols=protocols)
    factory.protocol = Connection
    # One second by default, which a busy machine takes.
    factory.setProtocolOptions(
        openHandshakeTimeout=30, closeHandshakeTimeout=30, serverConnectionDropTimeout=30
    )

    def accept(response):
        if isinstance(response, PerMessageDeflateResponse):
            return PerMessageDeflateResponseAccept(response)

    if deflate:
        factory.setProtocolOptions(
            perMessageCompressionOffers=[PerMessageDeflateOffer()], perMessageCompressionAccept=accept
        )
    _, connection = await asyncio.get_running_loop().create_connection(factory, factory.host, factory.port)
    return connection, await connection.opened


async def round_trips(connection, messages):
    observed = []
    for message in messages:
        connection.send(message)
        observed.append(describe_echo(message, await connection.recv()))
    return observed


async def pipelined(connection):
    for number in range(PIPELINED):
        connection.send(str(number))
    return [await connection.recv() for _ in range(PIPELINED)]


async def fragments_to_server(connection):
    # Parted within characters, which its frame-based interface allows.
    whole = "".join(FRAGMENTS).encode()
    connection.beginMessage()
    for fragment in (whole[:3], b"", whole[3:-2], whole[-2:]):
        connection.sendMessageFrame(fragment)
    connection.endMessage()
    return await connection.recv()


async def fragments_to_client(connection):
    connection.send("please")
    return await connection.recv()


async def ping_to_server(connection):
    connection.sendPing(PING_PAYLOAD.encode())
    return await connection.pong


async def closed(connection):
    await connection.closed
    return connection.close_observed


async def close_by_client(connection):
    connection.sendClose(4001, "Grüße")
    return (await closed(connection))["code"]


async def bare_close_by_client(connection):
    connection.sendClose()
    return (await closed(connection))["code"]


async def subprotocol(connection):
    return connection.websocket_protocol_in_use


async def extension(connection):
    return any(extension.EXTENSION_NAME == "permessage-deflate" for extension in connection.websocket_extensions_in_use)


async def bytes_on_the_wire(connection):
    message = "x" * 1024 * 1024
    connection.send(message)
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
    "bare-close-by-client": bare_close_by_client,
    "close-by-server": closed,
    "bare-close-by-server": closed,
    "subprotocol": subprotocol,
    "extension": extension,
    "bytes": bytes_on_the_wire,
}


async def visit(scenario, deflate):
    connection, _ = await connect(scenario["url"], scenario["protocols"], deflate)
    observed = await SCENARIOS[scenario["id"]](connection)
    connection.sendClose(1000)
    end = await connection.closed
    if end != "clean":
        raise ConnectionError(end)
    return observed


async def knock(url, deflate):
    connection, opened = await connect(url, [], deflate)
    if opened:
        return "open"
    reason = await connection.closed
    return "refused" if "upgrade failed [401]" in reason or "upgrade failed [403]" in reason else reason


async def main():
    task = read_task()
    for scenario in task["scenarios"]:
        await report(scenario["id"], visit(scenario, task["deflate"]))
    await report("refused", knock(task["refused"], task["deflate"]))


asyncio.run(main())
