"""The load generator, a process of its own: `python -m bench.load PLAN`, where PLAN is a Plan as JSON.

It opens the streams evenly over time and sends their frames evenly over time. A stream begins to send when it is ready,
as clients do. Each step is a line of JSON on standard output."""

import asyncio
import gc
import resource
import sys
from array import array
from pathlib import Path
from time import monotonic, process_time

import msgspec
import uvloop

from bench.client import Client, ConnectFailed, close_all, noise
from bench.figures import latency
from bench.pacer import Pacer
from bench.results import Load

SPREAD_SECONDS = 8
"""Streams open over this time, so that words and settles of different streams come evenly too."""
SETTLE_DOWN_SECONDS = 2
"""Between the last stream's opening and the measurement."""
CONNECTING_AT_ONCE = 50
CLOSE_SECONDS = 30.0


class Plan(msgspec.Struct):
    """What to do. `tokens`: a file with a JSON list of tokens, empty to speak Deepgram's dialect."""

    url: str
    streams: int
    frame_ms: int
    seconds: float
    tokens: str = ""


class Step(msgspec.Struct):
    """A line of the output. The parent counts between `begin` and `end`. After `open` and `end` the generator waits for
    its line, before it measures or closes the streams."""

    step: str
    load: Load | None = None


async def run(plan: Plan) -> None:
    """Run the plan. Raise ConnectFailed if not all streams open."""
    tokens = read_tokens(plan.tokens) if plan.tokens else [None] * plan.streams
    frame = noise(plan.frame_ms)
    clients = [Client(frame, token) for token in tokens[: plan.streams]]
    pacer = Pacer(plan.frame_ms / 1000 / len(clients), lambda slot: clients[slot % len(clients)].send())
    pacer.start()
    await _open(clients, plan.url)
    say(Step("open"))
    await asyncio.to_thread(sys.stdin.readline)
    gc.collect()
    gc.disable()  # until the end: a collection would be seen as latency
    await asyncio.sleep(SETTLE_DOWN_SECONDS)
    load = await _measure(clients, plan, pacer)
    say(Step("end", load))
    await asyncio.to_thread(sys.stdin.readline)
    pacer.stop()
    await close_all(clients, CLOSE_SECONDS)


async def _open(clients: list[Client], url: str) -> None:
    turn = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def connect(number: int, client: Client) -> None:
        await asyncio.sleep(SPREAD_SECONDS * number / len(clients))
        async with turn:
            await client.connect(url)

    await asyncio.gather(*(connect(number, client) for number, client in enumerate(clients)))


async def _measure(clients: list[Client], plan: Plan, pacer: Pacer) -> Load:
    say(Step("begin"))
    Client.latencies = answers = array("d")
    first, sent = len(pacer.lateness), sum(client.sent for client in clients)
    used, began = process_time(), monotonic()
    await asyncio.sleep(plan.seconds)
    Client.latencies = None
    return Load(
        frames=sum(client.sent for client in clients) - sent,
        answers_share=round(len(answers) / (len(clients) * plan.seconds), 3),
        dropped=sum(not client.is_open for client in clients),
        kept_kib=sum(client.unfinal_bytes for client in clients if client.is_open) / 1024,
        busy=round((process_time() - used) / (monotonic() - began), 3),
        latency=latency(answers),
        lateness=latency(pacer.lateness[first:]),
    )


def read_tokens(path: str) -> list[str]:
    """Return the tokens in a file."""
    return msgspec.json.decode(Path(path).read_bytes(), type=list[str])


def say(step: msgspec.Struct) -> None:
    """Print a value as a line of JSON."""
    print(msgspec.json.encode(step).decode(), flush=True)


if __name__ == "__main__":
    _hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    _plan = msgspec.json.decode(sys.argv[1], type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
        try:
            _runner.run(run(_plan))
        except ConnectFailed as _error:
            sys.exit(f"not all streams opened: {_error}")
