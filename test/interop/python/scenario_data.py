"""The messages of ../scenarios.ts, and how an echo is described there."""

import asyncio
import json
import sys

LENGTHS = [0, 1, 125, 126, 65535, 65536]
TEXTS = ["", "Grüße, мир, 世界 👋"] + ["x" * length for length in LENGTHS[1:]]
LARGE_LENGTH = 3 * 1024 * 1024
PIPELINED = 1000
PING_PAYLOAD = "are you there?"
FRAGMENTS = ["Grü", "", "ße 👋"]


def sample_bytes(length):
    return bytes(at * 31 & 0xFF for at in range(length))


def describe_echo(message, echo):
    kind = "text" if isinstance(echo, str) else "binary"
    length = len(echo.encode() if isinstance(echo, str) else echo)
    return [kind, length, echo == message]


def describe_bytes(message, echo, counts):
    counts = json.loads(counts)
    return [
        echo == message,
        counts["received"] < len(message) / 10,
        counts["sent"] < len(message) / 10,
    ]


async def report(name, observation, seconds=20):
    """Prints what a scenario observed, or why there is nothing to print."""
    try:
        say(id=name, observed=await asyncio.wait_for(observation, seconds))
    except Exception as error:  # whatever it is, it is the test's to judge, and the other scenarios go on
        say(id=name, error=repr(error))


def say(**line):
    print(json.dumps(line), flush=True)


def read_task():
    """What the test asks for: url, deflate, and for a client the scenarios with their ids and URLs."""
    return json.load(sys.stdin)
