"""An upstream that is quick: what it says along with its answer to the handshake counts, after its opening."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests import waiting
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.script import BROKEN_HANDSHAKES, Script
from transcription_proxy.relay import upstream as upstreams
from transcription_proxy.relay.upstream import DialFailed, Dialler
from transcription_proxy.stream import events as ev

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HELLO = b"\x81\x05hello"
WORLD = b"\x81\x05world"
CLOSE = b"\x88\x02\x03\xf3"
"""Code 1011."""


@asynccontextmanager
async def quick(frames: bytes) -> AsyncIterator[str]:
    """The URL of an upstream that sends these frames in the same packet as its 101."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (key,) = [line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: ")]
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(answer + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frames)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/listen"


async def until(events: list[ev.Event], count: int) -> None:
    await waiting.until(lambda: len(events) >= count)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (HELLO, [ev.UpstreamSentText(b"hello")]),
        (HELLO + WORLD, [ev.UpstreamSentText(b"hello"), ev.UpstreamSentText(b"world")]),
        (HELLO + CLOSE, [ev.UpstreamSentText(b"hello"), ev.UpstreamLost(1011)]),
        (CLOSE, [ev.UpstreamLost(1011)]),
    ],
    ids=["a word", "two words", "a word and its end", "its end"],
)
async def test_a_message_that_comes_with_the_handshake_is_reported_after_the_opening(
    frames: bytes, expected: list[ev.Event]
) -> None:
    events: list[ev.Event] = []
    async with quick(frames) as url:
        upstream = await Dialler(None, patience=0).dial(url, events.append)
        assert events == []
        upstream.start_reporting()
        await until(events, len(expected))
        assert events == expected
        upstream.close()


@pytest.mark.parametrize("how", sorted(BROKEN_HANDSHAKES))
async def test_an_upstream_that_breaks_off_the_handshake_was_not_reached(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstreams, "HANDSHAKE_SECONDS", 0.3)
    events: list[ev.Event] = []
    async with DeepgramStandIn(Script(handshake=BROKEN_HANDSHAKES[how])) as standin:
        with pytest.raises(DialFailed) as refused:
            await Dialler(None, patience=0).dial(f"{standin.url}/v1/listen", events.append)
    assert refused.value.status is None
    assert events == []


async def test_what_comes_with_the_answer_in_part_and_then_in_full_is_one_message() -> None:
    events: list[ev.Event] = []
    long = b"\x81\x7e\x4e\x20" + bytes(20_000)
    async with quick(long + HELLO) as url:
        upstream = await Dialler(None, patience=0).dial(url, events.append)
        upstream.start_reporting()
        await until(events, 2)
        assert events == [ev.UpstreamSentText(bytes(20_000)), ev.UpstreamSentText(b"hello")]
        upstream.close()


async def test_an_upstream_closed_because_of_its_first_message_reports_no_second() -> None:
    events: list[ev.Event] = []

    def happen(event: ev.Event) -> None:
        events.append(event)
        upstream.close()

    async with quick(HELLO + WORLD) as url:
        upstream = await Dialler(None, patience=0).dial(url, happen)
        upstream.start_reporting()
        assert events == [ev.UpstreamSentText(b"hello")]


async def test_an_upstream_closed_before_it_reports_reports_nothing() -> None:
    events: list[ev.Event] = []
    async with quick(HELLO) as url:
        upstream = await Dialler(None, patience=0).dial(url, events.append)
        upstream.close()
        upstream.start_reporting()
        assert events == []
