"""The engine's server in this process, with scripted streams in place of the model."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.integration.engine.running import TIMEOUT_SECONDS, Client
from tests.unit.engine.voices import Spoken, Voice
from tests.waiting import until
from transcription_engine.pcm import Samples
from transcription_engine.recognizer import OpenStream
from transcription_engine.server import Engine


@asynccontextmanager
async def serving(
    open_stream: OpenStream, stop: asyncio.Event | None = None, key: str | None = None, cores: int = 1
) -> AsyncIterator[str]:
    """Serve an engine and yield its URL. With more than one core, a slow stream does not block others."""
    stop = stop or asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(Engine(open_stream, key, cores).serve(listener, stop))
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        await task


class BlockedStream(Voice):
    """A stream whose first feed waits until `let` is set."""

    def __init__(self, *answers: Sequence[Spoken]) -> None:
        super().__init__(*answers)
        self.let = threading.Event()

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        assert self.let.wait(TIMEOUT_SECONDS)
        return super().feed(samples)


class TurnStream(Voice):
    """A stream that processes one turn for each release of `let`, and notes its name."""

    def __init__(self, name: str, let: threading.Semaphore, notes: list[str]) -> None:
        super().__init__()
        self._name, self._let, self._notes = name, let, notes

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        assert self._let.acquire(timeout=TIMEOUT_SECONDS)
        self._notes.append(self._name)
        return super().feed(samples)


async def turn(let: threading.Semaphore, notes: list[str]) -> None:
    """Let one stream process one turn."""
    count = len(notes)
    let.release()
    await until(lambda: len(notes) > count)


async def ping(client: Client) -> None:
    """Wait until everything sent before has arrived. Raise TimeoutError."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await (await client.socket.ping())
