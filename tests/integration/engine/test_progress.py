"""A stream that is late says how far it is; one whose model hangs falls silent."""

import asyncio
import threading

import pytest

from tests.integration.engine.running import CLOSE, RAW, SECOND, Talk, end, talking
from tests.integration.engine.scripted import Slow, Turns, pong, serving, turn
from tests.unit.engine.voices import Voice
from transcription_engine import progress, stream


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lateness is told ten times as often, and a model is thought to hang ten times as soon."""
    monkeypatch.setattr(stream, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(progress, "MAX_TURN_SECONDS", 1.0)


@pytest.mark.parametrize("query", [RAW, f"{RAW}&interim_results=true"])
async def test_a_late_stream_reports_its_progress(eager: None, query: str) -> None:
    let, notes = threading.Semaphore(0), list[str]()
    async with serving(lambda: Turns("late", let, notes)) as url, talking(url, query) as talk:
        await talk.send(*[bytes(SECOND)] * 10)
        for _ in range(3):
            await gets_further(talk, let, notes)
        let.release(100)
        await talk.send(CLOSE)
    assert [end(each) for each in talk.results()] == sorted(end(each) for each in talk.results())
    assert talk.metadata["duration"] == 10


async def gets_further(talk: Talk, let: threading.Semaphore, notes: list[str]) -> None:
    """A turn is heard, and the client is told of it."""
    reached = end(talk.results()[-1]) if talk.results() else 0.0
    await turn(let, notes)
    await talk.until(lambda: talk.results() and end(talk.results()[-1]) > reached)


async def test_a_stream_whose_end_is_still_to_come_tells_so(eager: None) -> None:
    let, notes = threading.Semaphore(0), list[str]()
    async with serving(lambda: Turns("late", let, notes)) as url, talking(url) as talk:
        await talk.send(bytes(SECOND), CLOSE)
        await talk.until(lambda: len(talk.results()) >= 3)
        let.release(100)
    assert talk.metadata["duration"] == 1


async def test_a_stream_whose_model_hangs_falls_silent(eager: None) -> None:
    voice = Slow()
    async with serving(lambda: voice) as url, talking(url) as talk:
        await talk.send(*[bytes(SECOND)] * 10)
        await talk.until(lambda: len(talk.results()) >= 3)
        await asyncio.sleep(1.0)
        told = len(talk.results())
        await asyncio.sleep(0.5)
        assert len(talk.results()) == told
        voice.let.set()
        await talk.send(CLOSE)
    assert talk.metadata["duration"] == 10


async def test_a_stream_that_waits_for_its_turn_is_late_while_others_run_and_stuck_when_none_does(eager: None) -> None:
    let, notes = threading.Semaphore(0), list[str]()
    names = iter(["first", "second"])
    async with (
        serving(lambda: Turns(next(names), let, notes)) as url,
        talking(url) as first,
        talking(url) as second,
    ):
        await first.send(*[bytes(SECOND)] * 30)
        await pong(first)
        await second.send(*[bytes(SECOND)] * 30)
        await asyncio.sleep(1.5)  # nothing has been heard at all for longer than a turn may take
        told = len(second.results())
        await asyncio.sleep(0.3)
        assert len(second.results()) == told
        await turn(let, notes)
        await second.until(lambda: len(second.results()) > told)
        let.release(200)
        await first.send(CLOSE)
        await second.send(CLOSE)


async def test_a_stream_in_time_tells_nothing_of_itself(eager: None) -> None:
    async with serving(Voice) as url, talking(url) as talk:
        for _ in range(3):
            await talk.send(bytes(SECOND // 4))
            await asyncio.sleep(0.2)
        told = talk.results()
        await talk.send(CLOSE)
    assert told == []
