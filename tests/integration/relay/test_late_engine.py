"""The built-in engine behind a relay: one that is late is waited for, one that hangs is replaced."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.integration.relay.calls import PATIENCE, calling
from tests.unit.engine.voices import Spoken, Voice
from transcription_engine import progress, stream
from transcription_engine.pcm import Samples
from transcription_engine.server import Engine
from transcription_proxy.stream import teardown, upstream_progress

SECOND = 32_000
TURN_SECONDS = 0.4
"""How long the slow model takes for half a second of audio or more."""


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is awaited is awaited for a tenth of its time or so; a turn takes longer than silence is allowed."""
    monkeypatch.setattr(upstream_progress, "WATCHDOG_SECONDS", 0.3)
    monkeypatch.setattr(upstream_progress, "CHECK_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(teardown, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(stream, "REPORT_SECONDS", 0.05)
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.05)
    monkeypatch.setattr(progress, "MAX_TURN_SECONDS", 1.0)


@asynccontextmanager
async def engine(open_stream: Callable[[], Voice]) -> AsyncIterator[str]:
    stop, listener = asyncio.Event(), socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(Engine(open_stream, None, 2).serve(listener, stop))
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    stop.set()
    await serving


class Slow(Voice):
    """Takes its time for every turn, and has all the words at the end."""

    def __init__(self) -> None:
        super().__init__(rest=[Spoken(1, "all the words", 0.2, 2.5)])

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        time.sleep(TURN_SECONDS)
        return super().feed(samples)


class Hanging(Voice):
    """Never hears its second turn."""

    def __init__(self, let: threading.Event) -> None:
        super().__init__()
        self._let = let
        self._turns = 0

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        self._turns += 1
        if self._turns > 1:
            assert self._let.wait(PATIENCE)
        return super().feed(samples)


@pytest.mark.parametrize("stops", [False, True], ids=["live", "after a stop"])
async def test_a_slow_engine_is_waited_for_and_no_word_is_lost(stops: bool) -> None:
    async with engine(Slow) as url, calling(url) as session:
        await session.until(lambda: session.client.told("ready"))
        session.send(bytes(3 * SECOND))
        if not stops:
            await session.until(lambda: session.behind_ms == 0)
        session.say("stop")
        assert await session.end() == ([], 1000)
        assert [message["text"] for message in session.client.told("transcript")] == ["all the words"]
        assert [(closing.total, closing.audio_ms) for closing in session.ledger.closings] == [(3, 3000)]
        assert session.dials == 1


async def test_an_engine_that_hangs_is_replaced() -> None:
    let = threading.Event()
    voices = iter([Hanging(let), Slow()])
    async with engine(lambda: next(voices)) as url, calling(url) as session:
        await session.until(lambda: session.client.told("ready"))
        async with asyncio.timeout(PATIENCE):
            while session.dials < 2:
                session.send()
                await asyncio.sleep(0.05)
        session.say("stop")
        assert await session.end() == ([], 1000)
        assert [message["text"] for message in session.client.told("transcript")] == ["all the words"]
        let.set()
