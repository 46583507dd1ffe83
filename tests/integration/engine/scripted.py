"""The engine's server in this process, with scripted voices in place of the model."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from tests.integration.engine.running import PATIENCE, Talk
from tests.unit.engine.voices import Spoken, Voice
from transcription_engine.recognizer import OpenStream
from transcription_engine.resample import Samples
from transcription_engine.server import Engine


@asynccontextmanager
async def serving(
    open_stream: OpenStream, stop: asyncio.Event | None = None, key: str | None = None, cores: int = 1
) -> AsyncIterator[str]:
    """An engine; its URL. With more than one of its cores, one voice that hears slowly holds up no other."""
    stop = stop or asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(Engine(open_stream, key, cores).serve(listener, stop))
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


class Slow(Voice):
    """Hears only when it is let."""

    def __init__(self, *answers: Sequence[Spoken]) -> None:
        super().__init__(*answers)
        self.let = threading.Event()

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        assert self.let.wait(PATIENCE)
        return super().feed(samples)


class Turns(Voice):
    """Hears a turn each time it is let, and notes whose turn it was."""

    def __init__(self, name: str, let: threading.Semaphore, notes: list[str]) -> None:
        super().__init__()
        self._name, self._let, self._notes = name, let, notes

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        assert self._let.acquire(timeout=PATIENCE)
        self._notes.append(self._name)
        return super().feed(samples)


async def turn(let: threading.Semaphore, notes: list[str]) -> None:
    """One is heard by somebody."""
    count = len(notes)
    let.release()
    await until(lambda: len(notes) > count)


async def pong(talk: Talk) -> None:
    """All that was sent before has arrived. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        await (await talk.socket.ping())
