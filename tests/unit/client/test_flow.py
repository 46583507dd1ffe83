"""Sound from its source to a session: when it is taken, and how fast it is sent."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.unit.client.servers import Socket, caption_server
from transcription_client.connection import CaptionConnection
from transcription_client.core import AHEAD_SECONDS, CATCH_UP_RATE, Format
from transcription_client.errors import ClientError
from transcription_client.flow import Flow, Source
from transcription_wire import messages as wire

AUDIO = Format("mulaw", 8000)
SECOND = bytes(AUDIO.bytes_per_second)


class Tap:
    """A source that counts what was taken of it."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self.taken = 0
        self.all_taken = asyncio.Event()

    async def sound(self) -> AsyncIterator[bytes]:
        while self.taken < self._seconds:
            self.taken += 1
            yield SECOND
        self.all_taken.set()


def no_gap(seconds: float) -> None:
    raise AssertionError(f"{seconds} s were lost")


@asynccontextmanager
async def speaking(flow: Flow, server: str) -> AsyncIterator[CaptionConnection]:
    """The flow speaks to a session."""

    def take(message: wire.ServerMessage, text: str) -> None:
        if isinstance(message, wire.Ready):
            flow.begin(time.monotonic())
        if isinstance(message, wire.Transcript):
            flow.record_words(message)

    connection = await CaptionConnection.dial(server, take)
    await connection.open_session(wire.Auth("a-token"))
    speaking = asyncio.create_task(flow.send_all(connection))
    try:
        yield connection
    finally:
        speaking.cancel()
        await connection.close()


async def test_what_can_wait_is_not_taken_before_a_session_began_and_what_cannot_is() -> None:
    file, live = Tap(3), Tap(3)
    flows = [Flow(Source(file.sound(), AUDIO), no_gap), Flow(Source(live.sound(), AUDIO, live=True), no_gap)]
    await asyncio.wait_for(live.all_taken.wait(), 10)
    assert (file.taken, live.taken) == (0, 3)
    assert (flows[0].rest, flows[0].kept) == (None, 0.0)
    assert (flows[1].rest, flows[1].kept) == (3.0, 3.0)
    flows[0].begin(0.0)
    flows[0].rewind()
    await asyncio.wait_for(file.all_taken.wait(), 10)
    for flow in flows:
        await flow.close()


@pytest.mark.parametrize("live", [True, False])
async def test_sound_without_words_is_sent_ten_seconds_ahead_and_what_can_wait_is_taken_no_faster(live: bool) -> None:
    tap = Tap(40)
    flow = Flow(Source(tap.sound(), AUDIO, live=live), no_gap)
    if live:
        await asyncio.wait_for(tap.all_taken.wait(), 10)
    began = time.monotonic()

    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(round((AHEAD_SECONDS + 1) * len(SECOND)))
        taken = tap.taken
        due = AHEAD_SECONDS + CATCH_UP_RATE * (time.monotonic() - began)
        assert len(socket.audio) <= due * len(SECOND)
        assert live or taken <= due + 1
        await socket.final("words", 0.0, 40.0)
        await socket.until("stop")
        await socket.end()

    async with caption_server(script) as (server, heard), asyncio.timeout(20), speaking(flow, server) as connection:
        await connection.listening
    assert heard.audio == SECOND * 40
    await flow.close()


async def test_after_a_stop_nothing_more_is_taken_and_the_rest_is_known() -> None:
    tap = Tap(3)
    flow = Flow(Source(tap.sound(), AUDIO), no_gap)
    flow.stop()
    assert flow.rest == 0.0
    assert await flow.close() is None
    assert tap.taken == 0


async def test_a_source_that_fails_is_over_and_says_so_at_the_close() -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield SECOND
        raise ClientError("The tape is torn.")

    flow = Flow(Source(torn(), AUDIO, live=True), no_gap)
    async with asyncio.timeout(10):
        while flow.rest is None:
            await asyncio.sleep(0)
    assert flow.rest == 1.0
    assert str(await flow.close()) == "The tape is torn."


async def test_dropped_audio_is_reported() -> None:
    gaps: list[float] = []
    tap = Tap(63)
    flow = Flow(Source(tap.sound(), AUDIO, live=True), gaps.append)
    assert not flow.gaps
    await asyncio.wait_for(tap.all_taken.wait(), 10)
    assert gaps == [1.0] * 3
    assert flow.gaps
    await flow.close()


async def test_what_can_wait_is_taken_in_an_outage_as_far_as_it_can_be_kept_whole() -> None:
    piece, taken = SECOND + SECOND[:999], 0

    async def pipe() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield piece

    flow = Flow(Source(pipe(), AUDIO), no_gap)
    flow.begin(0.0)
    flow.rewind()
    async with asyncio.timeout(10):
        while taken < 54:
            await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert taken == 54  # 53 are kept, one waits
    assert flow.kept == 53 * len(piece) / len(SECOND)
    await flow.close()
