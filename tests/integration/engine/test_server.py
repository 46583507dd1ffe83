"""The engine's server in this process, with scripted streams: capacity, failures and lost clients."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.engine.running import CLOSE, RAW, SECOND, connected, end
from tests.integration.engine.scripted import BlockedStream, TurnStream, ping, serving, turn
from tests.unit.engine.voices import Spoken, Voice
from tests.waiting import until
from transcription_engine import server, stream
from transcription_engine.pcm import Samples
from transcription_engine.server import MAX_CHANNELS_PER_CORE

TURN_SECONDS = SECOND // 2
"""Bytes that are processed in one turn."""


class Clients:
    """Clients that stay connected until `leave`."""

    def __init__(self, url: str, group: asyncio.TaskGroup) -> None:
        self._url = url
        self._group = group
        self._leave = asyncio.Event()

    async def refusal(self, query: str = RAW) -> InvalidStatus | None:
        """Connect one more client. Return its refusal, None if it was accepted."""
        answer: asyncio.Future[InvalidStatus | None] = asyncio.get_running_loop().create_future()
        self._group.create_task(self._stay(query, answer))
        return await answer

    async def _stay(self, query: str, answer: "asyncio.Future[InvalidStatus | None]") -> None:
        try:
            async with connected(self._url, query) as client:
                answer.set_result(None)
                await self._leave.wait()
                await client.send(CLOSE)
        except InvalidStatus as refused:
            answer.set_result(refused)

    def leave(self) -> None:
        self._leave.set()


@asynccontextmanager
async def connecting(url: str) -> AsyncIterator[Clients]:
    async with asyncio.TaskGroup() as group:
        clients = Clients(url, group)
        try:
            yield clients
        finally:
            clients.leave()


async def is_accepted(url: str) -> bool:
    try:
        async with connected(url) as client:
            await client.send(CLOSE)
    except InvalidStatus as refused:
        assert refused.response.status_code == 429
        return False
    return client.code == 1000


async def is_refused(url: str) -> bool:
    return not await is_accepted(url)


async def until_accepted(url: str) -> None:
    """Wait until a client is accepted: capacity is freed a moment after a close. Raise TimeoutError."""
    await until(lambda: is_accepted(url))


async def test_one_channel_too_many_is_refused_with_429() -> None:
    async with serving(Voice) as url:
        async with connecting(url) as clients:
            assert [await clients.refusal() for _ in range(MAX_CHANNELS_PER_CORE)] == [None] * MAX_CHANNELS_PER_CORE
            refused = await clients.refusal()
            assert refused is not None
            assert refused.response.status_code == 429
            assert refused.response.headers["dg-error"]
        await until_accepted(url)


async def test_concurrent_clients_never_exceed_the_capacity() -> None:
    async with serving(Voice) as url, connecting(url) as clients:
        refusals = await asyncio.gather(*[clients.refusal() for _ in range(3 * MAX_CHANNELS_PER_CORE)])
        assert refusals.count(None) == MAX_CHANNELS_PER_CORE


async def test_each_separate_channel_counts() -> None:
    async with serving(Voice) as url, connecting(url) as clients:
        assert await clients.refusal(f"{RAW}&channels=3&multichannel=true") is None
        assert await clients.refusal(f"{RAW}&channels=2&multichannel=true") is not None
        assert await clients.refusal(f"{RAW}&channels=8") is None
        assert await clients.refusal() is not None


async def test_an_idle_engine_accepts_any_stream() -> None:
    async with serving(Voice) as url, connecting(url) as clients:
        assert await clients.refusal(f"{RAW}&channels=8&multichannel=true") is None
        assert await clients.refusal() is not None


async def test_new_streams_are_refused_while_others_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_LAG_SECONDS", 0.1)
    script = BlockedStream()
    scripts = iter([script])
    async with serving(lambda: next(scripts, Voice()), cores=2) as url, connected(url) as client:
        await client.send(bytes(SECOND))
        await until(lambda: is_refused(url))
        script.let.set()
        await until_accepted(url)
        await client.send(CLOSE)


async def test_a_stream_faster_than_real_time_does_not_block_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_LAG_SECONDS", 25.0)
    script = BlockedStream()
    scripts = iter([script, Voice()])
    async with serving(lambda: next(scripts), cores=2) as url, connected(url) as client:
        await client.send(*[bytes(SECOND)] * 30, CLOSE)
        await ping(client)
        assert await is_accepted(url)
        script.let.set()
    assert client.metadata["duration"] == 30


@pytest.mark.parametrize("headers", [[], ["Token wrong"], ["Token k3y", "Token k3y"], ["Token k3y", "Token wrong"]])
async def test_a_client_without_exactly_one_key_is_refused(headers: list[str]) -> None:
    async with serving(Voice, key="k3y") as url:
        with pytest.raises(InvalidStatus) as raised:
            await connect(f"{url}/v1/listen?{RAW}", additional_headers=[("Authorization", each) for each in headers])
    assert raised.value.response.status_code == 401


class FailingStream(Voice):
    def feed(self, samples: Samples) -> Sequence[Spoken]:
        raise RuntimeError("the model failed")


async def test_a_failing_model_ends_the_stream_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    script = FailingStream()
    async with serving(lambda: script) as url, connected(url) as client:
        await client.send(bytes(TURN_SECONDS))
    assert client.code == 1011
    assert "the model failed" in caplog.text
    assert script.closes == 1


async def test_a_model_that_opens_no_stream_ends_the_connection_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Voice:
        raise RuntimeError("no stream")

    async with serving(broken) as url, connected(url) as client:
        pass
    assert client.code == 1011
    assert [record.levelno for record in caplog.records if record.name == server.__name__] == [logging.ERROR]


async def test_a_client_that_disconnects_frees_its_recognizer() -> None:
    script = Voice()
    async with serving(lambda: script) as url, connected(url) as client:
        await client.send(bytes(TURN_SECONDS))
        client.socket.transport.abort()
        await until(lambda: script.closes == 1)


async def test_a_client_that_does_not_read_frees_its_recognizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SEND_TIMEOUT_SECONDS", 0.1)
    script = Voice(*[[Spoken(number, "word " * 200_000, 0, 0.5)] for number in range(50)])
    async with serving(lambda: script) as url, connected(url) as client:
        client.socket.transport.pause_reading()
        await client.send(bytes(TURN_SECONDS * 50))
        await until(lambda: script.closes == 1)
        client.socket.transport.abort()


async def test_a_stream_with_much_audio_does_not_delay_others() -> None:
    """A live stream's turn comes after at most two turns of a stream that always has audio."""
    let, notes = threading.Semaphore(0), list[str]()
    names = iter(["behind", "live"])
    async with (
        serving(lambda: TurnStream(next(names), let, notes)) as url,
        connected(url) as behind,
        connected(url) as live,
    ):
        await behind.send(*[bytes(SECOND)] * 30, CLOSE)
        await ping(behind)
        for _ in range(5):
            await live.send(bytes(TURN_SECONDS))
            await ping(live)
            before = len(notes)
            while "live" not in notes[before:]:
                await turn(let, notes)
                await ping(live)
            assert notes[before:].count("behind") <= 2
        await live.send(CLOSE)
        let.release(100)
    assert behind.metadata["duration"] == 30


async def test_pings_are_answered_while_audio_waits() -> None:
    script = BlockedStream()
    async with serving(lambda: script) as url, connected(url) as client:
        await client.send(*[bytes(SECOND)] * 30)
        await ping(client)
        assert client.messages == []
        script.let.set()
        await client.send(CLOSE)
    assert client.metadata["duration"] == 30


async def test_a_client_that_vanishes_silently_frees_its_recognizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "NO_DATA_SECONDS", 0.1)
    script = Voice()
    async with serving(lambda: script) as url, connected(url) as client:
        await client.send(bytes(TURN_SECONDS))
        client.socket.transport.pause_reading()  # the client sends nothing, not even pongs
        await until(lambda: script.closes == 1)
        client.socket.transport.abort()


async def test_the_frame_timeout_starts_after_the_waiting_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audio of a stream that ends for lack of frames is still recognized."""
    monkeypatch.setattr(stream, "NO_DATA_SECONDS", 0.1)
    script = BlockedStream()
    async with serving(lambda: script) as url, connected(url) as client:
        await client.send(*[bytes(SECOND)] * 5)
        await asyncio.sleep(0.2)  # longer than the frame timeout
        script.let.set()
    assert client.metadata["duration"] == 5
    assert client.code == 1011


async def test_at_a_shutdown_a_late_stream_gets_its_last_words_at_once() -> None:
    script, stop = BlockedStream(), asyncio.Event()
    async with serving(lambda: script, stop) as url, connected(url) as client:
        await client.send(*[bytes(SECOND)] * 30)
        await ping(client)
        stop.set()
        await ping(client)
        script.let.set()
    assert client.code == 1000
    assert client.metadata["duration"] <= 5
    assert end(client.finals()[-1]) == client.metadata["duration"]


async def test_audio_beyond_the_backlog_is_not_read() -> None:
    """The engine stops reading from a late stream, so the sender waits and nothing is lost."""
    script = BlockedStream()
    async with serving(lambda: script) as url, connected(url, f"{RAW}&channels=8") as client:
        sending = asyncio.create_task(client.send(*[bytes(1 << 20)] * 100, CLOSE))
        await asyncio.wait([sending], timeout=0.5)
        assert not sending.done()
        script.let.set()
        await sending
    assert client.metadata["duration"] == pytest.approx(100 * (1 << 20) / SECOND / 8)
