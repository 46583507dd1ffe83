"""Streams that are decoded, in this process with scripted voices: bounds, failures and lost clients."""

import asyncio
import logging
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from tests.integration.engine.containers import encoded, speech
from tests.integration.engine.running import CLOSE, SECOND, connected, end, frames
from tests.integration.engine.scripted import BlockedStream, ping, serving
from tests.unit.engine.voices import Spoken, Voice
from tests.waiting import until
from transcription_engine import server, stream
from transcription_engine.backlog import MAX_BACKLOG_SECONDS
from transcription_engine.pcm import Samples

GARBAGE = b"ID3\x04\x00\x00\x0f\xff\xff\xff"
"""The begin of an MP3 whose tag is larger than anything that follows."""


def silence(seconds: int) -> bytes:
    """Return a FLAC file that is much smaller than its audio."""
    return encoded("flac", "flac", 48_000, np.zeros(48_000 * seconds, np.int16))


class Entered(BlockedStream):
    """A stream whose first feed waits, and tells that it has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        self.entered.set()
        return super().feed(samples)


def decoders() -> int:
    return sum(thread.name == "decoder" for thread in threading.enumerate())


async def test_bytes_that_never_become_audio_end_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "UNDECODED_SECONDS", 0.2)
    async with serving(Voice) as url, connected(url, "") as client:
        await client.send(GARBAGE)
        await asyncio.sleep(0.2)  # as long as the bound
        await client.send(bytes(10))
    assert client.code == 1011
    assert "net0000" in (client.reason or "")
    assert client.metadata["duration"] == 0
    await until(lambda: not decoders())


async def test_a_keepalive_before_any_bytes_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "UNDECODED_SECONDS", 0.0)
    async with serving(Voice) as url, connected(url, "") as client:
        await client.send('{"type":"KeepAlive"}', '{"type":"KeepAlive"}', CLOSE)
    assert client.code == 1000


async def test_a_small_file_of_much_audio_is_decoded_as_it_is_recognized() -> None:
    """Minutes of silence in a small file is not held decoded, and nothing of it is lost."""
    script = Entered()
    async with serving(lambda: script, cores=2) as url, connected(url, "") as client:
        sending = asyncio.create_task(client.send(silence(300), CLOSE))
        await until(script.entered.is_set)
        await ping(client)
        script.let.set()
        await sending
    assert client.metadata["duration"] == 300 > MAX_BACKLOG_SECONDS
    assert end(client.finals()[-1]) == 300


async def test_a_client_that_disconnects_frees_its_decoder() -> None:
    script = Voice()
    async with serving(lambda: script) as url, connected(url, "") as client:
        await client.send(*frames(encoded("ogg", "libopus", 48_000, speech(48_000)), 4000))
        await until(lambda: script.pieces)
        client.socket.transport.abort()
        await until(lambda: script.closes == 1 and not decoders())


async def test_a_client_that_disconnects_from_a_full_stream_frees_its_decoder() -> None:
    script = Entered()
    async with serving(lambda: script) as url, connected(url, "") as client:
        await client.send(silence(600))
        await until(script.entered.is_set)
        client.socket.transport.abort()
        script.let.set()
        await until(lambda: script.closes == 1 and not decoders())


async def test_at_a_shutdown_a_stream_gets_its_last_words() -> None:
    stop, script = asyncio.Event(), Voice()
    async with serving(lambda: script, stop) as url, connected(url, "") as client:
        await client.send(*frames(encoded("wav", "pcm_s16le", 16_000, speech()), SECOND))
        await until(lambda: script.pieces)
        stop.set()
    assert client.code == 1000
    assert client.metadata["duration"] > 0
    await until(lambda: not decoders())


async def test_a_model_that_opens_no_stream_ends_a_decoded_stream_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Voice:
        raise RuntimeError("no stream")

    async with serving(broken) as url, connected(url, "") as client:
        await client.send(*frames(encoded("wav", "pcm_s16le", 16_000, speech()), SECOND))
    assert client.code == 1011
    assert [record.levelno for record in caplog.records if record.name == server.__name__] == [logging.ERROR]
    await until(lambda: not decoders())
