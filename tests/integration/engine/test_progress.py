"""A late stream reports its progress. A stream whose model hangs reports nothing."""

import asyncio
import threading

import pytest

from tests.integration.engine.running import CLOSE, RAW, SECOND, Client, connected, end
from tests.integration.engine.scripted import BlockedStream, TurnStream, ping, serving, turn
from tests.unit.engine.voices import Voice
from transcription_engine import progress, stream


@pytest.fixture
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report ten times as often, and assume ten times as soon that the model hangs."""
    monkeypatch.setattr(stream, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(progress, "MAX_TURN_SECONDS", 1.0)


@pytest.mark.parametrize("query", [RAW, f"{RAW}&interim_results=true"])
async def test_a_late_stream_reports_its_progress(short_intervals: None, query: str) -> None:
    let, notes = threading.Semaphore(0), list[str]()
    async with serving(lambda: TurnStream("late", let, notes)) as url, connected(url, query) as client:
        await client.send(*[bytes(SECOND)] * 10)
        for _ in range(3):
            await complete_turn(client, let, notes)
        let.release(100)
        await client.send(CLOSE)
    assert [end(each) for each in client.results()] == sorted(end(each) for each in client.results())
    assert client.metadata["duration"] == 10


async def complete_turn(client: Client, let: threading.Semaphore, notes: list[str]) -> None:
    """Let a turn run, and wait for its report at the client."""
    reached = end(client.results()[-1]) if client.results() else 0.0
    await turn(let, notes)
    await client.until(lambda: client.results() and end(client.results()[-1]) > reached)


async def test_a_stream_reports_its_progress_after_close_stream(short_intervals: None) -> None:
    let, notes = threading.Semaphore(0), list[str]()
    async with serving(lambda: TurnStream("late", let, notes)) as url, connected(url) as client:
        await client.send(bytes(SECOND), CLOSE)
        await client.until(lambda: len(client.results()) >= 3)
        let.release(100)
    assert client.metadata["duration"] == 1


async def test_a_stream_whose_model_hangs_reports_nothing(short_intervals: None) -> None:
    script = BlockedStream()
    async with serving(lambda: script) as url, connected(url) as client:
        await client.send(*[bytes(SECOND)] * 10)
        await client.until(lambda: len(client.results()) >= 3)
        await asyncio.sleep(1.0)
        transcribe = len(client.results())
        await asyncio.sleep(0.5)
        assert len(client.results()) == transcribe
        script.let.set()
        await client.send(CLOSE)
    assert client.metadata["duration"] == 10


async def test_a_waiting_stream_reports_while_other_turns_finish(short_intervals: None) -> None:
    let, notes = threading.Semaphore(0), list[str]()
    names = iter(["first", "second"])
    async with (
        serving(lambda: TurnStream(next(names), let, notes)) as url,
        connected(url) as first,
        connected(url) as second,
    ):
        await first.send(*[bytes(SECOND)] * 30)
        await ping(first)
        await second.send(*[bytes(SECOND)] * 30)
        await asyncio.sleep(1.5)  # longer than a turn may take
        transcribe = len(second.results())
        await asyncio.sleep(0.3)
        assert len(second.results()) == transcribe
        await turn(let, notes)
        await second.until(lambda: len(second.results()) > transcribe)
        let.release(200)
        await first.send(CLOSE)
        await second.send(CLOSE)


async def test_a_stream_that_is_on_time_reports_nothing(short_intervals: None) -> None:
    async with serving(Voice) as url, connected(url) as client:
        for _ in range(3):
            await client.send(bytes(SECOND // 4))
            await asyncio.sleep(0.2)
        transcribe = client.results()
        await client.send(CLOSE)
    assert transcribe == []
