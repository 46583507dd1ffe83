"""The engine's server in this process, with scripted voices in place of the model: crowds, failures and hang-ups."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.engine.running import CLOSE, PATIENCE, RAW, SECOND, end, talking
from tests.integration.engine.scripted import Slow, Turns, pong, serving, turn, until
from tests.unit.engine.voices import Spoken, Voice
from transcription_engine import server, stream
from transcription_engine.resample import Samples
from transcription_engine.server import MAX_CHANNELS_PER_CORE

TURN_SECONDS = SECOND // 2
"""What is heard in one go."""


class Crowd:
    """Clients that stay until they are told to leave."""

    def __init__(self, url: str, group: asyncio.TaskGroup) -> None:
        self._url = url
        self._group = group
        self._leave = asyncio.Event()

    async def refusal(self, query: str = RAW) -> InvalidStatus | None:
        """What one more was told, None if it is in now."""
        answer: asyncio.Future[InvalidStatus | None] = asyncio.get_running_loop().create_future()
        self._group.create_task(self._stay(query, answer))
        return await answer

    async def _stay(self, query: str, answer: "asyncio.Future[InvalidStatus | None]") -> None:
        try:
            async with talking(self._url, query) as talk:
                answer.set_result(None)
                await self._leave.wait()
                await talk.send(CLOSE)
        except InvalidStatus as refused:
            answer.set_result(refused)

    def leave(self) -> None:
        self._leave.set()


@asynccontextmanager
async def crowd(url: str) -> AsyncIterator[Crowd]:
    async with asyncio.TaskGroup() as group:
        clients = Crowd(url, group)
        try:
            yield clients
        finally:
            clients.leave()


async def is_let_in(url: str) -> bool:
    try:
        async with talking(url) as talk:
            await talk.send(CLOSE)
    except InvalidStatus as refused:
        assert refused.response.status_code == 429
        return False
    return talk.code == 1000


async def until_let_in(url: str) -> None:
    """A place is free a moment after the one who had it is told goodbye. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not await is_let_in(url):
            await asyncio.sleep(0.01)


async def test_one_channel_too_many_is_refused_with_429() -> None:
    async with serving(Voice) as url:
        async with crowd(url) as clients:
            assert [await clients.refusal() for _ in range(MAX_CHANNELS_PER_CORE)] == [None] * MAX_CHANNELS_PER_CORE
            refused = await clients.refusal()
            assert refused is not None
            assert refused.response.status_code == 429
            assert refused.response.headers["dg-error"]
        await until_let_in(url)


async def test_of_many_who_come_at_once_no_more_are_let_in() -> None:
    async with serving(Voice) as url, crowd(url) as clients:
        refusals = await asyncio.gather(*[clients.refusal() for _ in range(3 * MAX_CHANNELS_PER_CORE)])
        assert refusals.count(None) == MAX_CHANNELS_PER_CORE


async def test_each_separate_channel_counts() -> None:
    async with serving(Voice) as url, crowd(url) as clients:
        assert await clients.refusal(f"{RAW}&channels=3&multichannel=true") is None
        assert await clients.refusal(f"{RAW}&channels=2&multichannel=true") is not None
        assert await clients.refusal(f"{RAW}&channels=8") is None
        assert await clients.refusal() is not None


async def test_an_idle_engine_accepts_any_stream() -> None:
    async with serving(Voice) as url, crowd(url) as clients:
        assert await clients.refusal(f"{RAW}&channels=8&multichannel=true") is None
        assert await clients.refusal() is not None


async def test_new_streams_are_refused_while_others_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_LAG_SECONDS", 0.1)
    voice = Slow()
    voices = iter([voice])
    async with serving(lambda: next(voices, Voice()), cores=2) as url, talking(url) as talk:
        await talk.send(bytes(SECOND))
        async with asyncio.timeout(PATIENCE):
            while await is_let_in(url):
                await asyncio.sleep(0.05)
        voice.let.set()
        await until_let_in(url)
        await talk.send(CLOSE)


async def test_a_stream_faster_than_real_time_does_not_block_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_LAG_SECONDS", 25.0)
    voice = Slow()
    voices = iter([voice, Voice()])
    async with serving(lambda: next(voices), cores=2) as url, talking(url) as talk:
        await talk.send(*[bytes(SECOND)] * 30, CLOSE)
        await pong(talk)
        assert await is_let_in(url)
        voice.let.set()
    assert talk.metadata["duration"] == 30


@pytest.mark.parametrize("headers", [[], ["Token wrong"], ["Token k3y", "Token k3y"], ["Token k3y", "Token wrong"]])
async def test_who_does_not_show_the_key_once_is_not_let_in(headers: list[str]) -> None:
    async with serving(Voice, key="k3y") as url:
        with pytest.raises(InvalidStatus) as raised:
            await connect(f"{url}/v1/listen?{RAW}", additional_headers=[("Authorization", each) for each in headers])
    assert raised.value.response.status_code == 401


class Deaf(Voice):
    def feed(self, samples: Samples) -> Sequence[Spoken]:
        raise RuntimeError("the model failed")


async def test_a_failing_model_ends_the_stream_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    voice = Deaf()
    async with serving(lambda: voice) as url, talking(url) as talk:
        await talk.send(bytes(TURN_SECONDS))
    assert talk.code == 1011
    assert "the model failed" in caplog.text
    assert voice.closes == 1


async def test_a_model_that_opens_no_stream_ends_the_connection_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Voice:
        raise RuntimeError("no stream")

    async with serving(broken) as url, talking(url) as talk:
        pass
    assert talk.code == 1011
    assert [record.levelno for record in caplog.records if record.name == server.__name__] == [logging.ERROR]


async def test_a_client_that_disconnects_frees_its_recognizer() -> None:
    voice = Voice()
    async with serving(lambda: voice) as url, talking(url) as talk:
        await talk.send(bytes(TURN_SECONDS))
        talk.socket.transport.abort()
        await until(lambda: voice.closes == 1)


async def test_a_client_that_does_not_read_frees_its_recognizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SEND_TIMEOUT_SECONDS", 0.1)
    voice = Voice(*[[Spoken(number, "word " * 200_000, 0, 0.5)] for number in range(50)])
    async with serving(lambda: voice) as url, talking(url) as talk:
        talk.socket.transport.pause_reading()
        await talk.send(bytes(TURN_SECONDS * 50))
        await until(lambda: voice.closes == 1)
        talk.socket.transport.abort()


async def test_a_stream_with_much_audio_does_not_delay_others() -> None:
    """Beside one whose turns never end, a live stream's turn comes after at most two others."""
    let, notes = threading.Semaphore(0), list[str]()
    names = iter(["behind", "live"])
    async with (
        serving(lambda: Turns(next(names), let, notes)) as url,
        talking(url) as behind,
        talking(url) as live,
    ):
        await behind.send(*[bytes(SECOND)] * 30, CLOSE)
        await pong(behind)
        for _ in range(5):
            await live.send(bytes(TURN_SECONDS))
            await pong(live)
            before = len(notes)
            while "live" not in notes[before:]:
                await turn(let, notes)
                await pong(live)
            assert notes[before:].count("behind") <= 2
        await live.send(CLOSE)
        let.release(100)
    assert behind.metadata["duration"] == 30


async def test_pings_are_answered_while_audio_waits() -> None:
    voice = Slow()
    async with serving(lambda: voice) as url, talking(url) as talk:
        await talk.send(*[bytes(SECOND)] * 30)
        await pong(talk)
        assert talk.messages == []
        voice.let.set()
        await talk.send(CLOSE)
    assert talk.metadata["duration"] == 30


async def test_a_client_that_vanishes_silently_frees_its_recognizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "NO_DATA_SECONDS", 0.1)
    voice = Voice()
    async with serving(lambda: voice) as url, talking(url) as talk:
        await talk.send(bytes(TURN_SECONDS))
        talk.socket.transport.pause_reading()  # nothing comes from it any more, not even an answer to a ping
        await until(lambda: voice.closes == 1)
        talk.socket.transport.abort()


async def test_who_sent_all_at_once_is_quiet_only_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audio of a stream that ends for want of frames is heard all the same."""
    monkeypatch.setattr(stream, "NO_DATA_SECONDS", 0.1)
    voice = Slow()
    async with serving(lambda: voice) as url, talking(url) as talk:
        await talk.send(*[bytes(SECOND)] * 5)
        await asyncio.sleep(0.2)  # longer than a client may be quiet
        voice.let.set()
    assert talk.metadata["duration"] == 5
    assert talk.code == 1011


async def test_at_the_end_a_stream_that_is_behind_has_last_words_at_once() -> None:
    voice, stop = Slow(), asyncio.Event()
    async with serving(lambda: voice, stop) as url, talking(url) as talk:
        await talk.send(*[bytes(SECOND)] * 30)
        await pong(talk)
        stop.set()
        await pong(talk)
        voice.let.set()
    assert talk.code == 1000
    assert talk.metadata["duration"] <= 5
    assert end(talk.finals()[-1]) == talk.metadata["duration"]


async def test_audio_beyond_the_backlog_is_not_read() -> None:
    """A stream that is behind is not read from: the sender feels it, and nothing is lost."""
    voice = Slow()
    async with serving(lambda: voice) as url, talking(url, f"{RAW}&channels=8") as talk:
        sending = asyncio.create_task(talk.send(*[bytes(1 << 20)] * 100, CLOSE))
        await asyncio.wait([sending], timeout=0.5)
        assert not sending.done()
        voice.let.set()
        await sending
    assert talk.metadata["duration"] == pytest.approx(100 * (1 << 20) / SECOND / 8)
