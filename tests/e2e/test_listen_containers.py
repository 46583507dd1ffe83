"""`/v1/listen` with containers and codecs through the built-in engine: real words, billed exactly, cut off at zero."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from math import ceil
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.e2e.checks import assert_books_balance
from tests.e2e.client import User
from tests.e2e.listening import CLOSE_STREAM, listen, refused, rest
from tests.e2e.service import Service, environment, serving
from tests.integration.engine.containers import LIVE_WEBM, encoded, opus_packets, speech
from tests.integration.engine.recordings import BECKETT, TWO_CITIES, at_rate, recording, word_errors
from tests.integration.engine.running import frames
from tests.waiting import until

QUERY = {"model": "nova-3", "interim_results": "true"}
TOLERATED = 0.2
PIECES = 100
SECONDS = len(speech()) / 16_000
SPEED = 5
"""Times real time."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(scratch: Any) -> AsyncIterator[Service]:
    """A service with the built-in engine."""
    async with serving(environment(scratch / "containers", "", DEEPGRAM_API_KEY="")) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def balanced(engine: Service) -> AsyncIterator[None]:
    yield
    await assert_books_balance(engine)


@pytest.fixture(scope="module")
def webm() -> bytes:
    return encoded("webm", "libopus", 48_000, speech(48_000), **LIVE_WEBM)


async def send(connection: ClientConnection, pieces: Sequence[bytes], seconds: float) -> None:
    """Send pieces evenly, at SPEED. `seconds`: the length of the audio."""
    for piece in pieces:
        await connection.send(piece)
        await asyncio.sleep(seconds / len(pieces) / SPEED)


def pieces(data: bytes) -> Sequence[bytes]:
    return frames(data, -(-len(data) // PIECES))


async def ended(connection: ClientConnection) -> list[dict[str, Any]]:
    """Return the messages until the close."""
    return [json.loads(text) for text in await rest(connection)]


def text(messages: list[dict[str, Any]]) -> str:
    finals = [each for each in messages if each["type"] == "Results" and each["is_final"]]
    return " ".join(filter(None, (each["channel"]["alternatives"][0]["transcript"] for each in finals)))


async def ended_session(service: Service, user: User) -> Any:
    """Return the user's one session once it has ended."""

    async def found() -> Any:
        return [each for each in await service.sessions(user) if each["ended_at"]]

    [session] = await until(found)
    return session


async def assert_billed(service: Service, user: User, before: int, used: int, reason: str) -> None:
    """Check the bill of the user's one session, which has ended."""
    session = await ended_session(service, user)
    assert (session["seconds_used"], session["reason"]) == (used, reason)
    balance = await service.balance(user)
    assert (balance["seconds_remaining"], balance["seconds_held"]) == (before - used, 0)


def cost(metadata: dict[str, Any]) -> int:
    assert metadata["type"] == "Metadata"
    duration: float = metadata["duration"]
    return ceil(round(duration, 3))


async def test_a_browsers_recording_is_understood_and_billed_exactly(engine: Service, webm: bytes) -> None:
    """The header is in the first piece only."""
    user = await engine.user(3600)
    connection = await listen(engine, user, QUERY)
    await send(connection, pieces(webm), SECONDS)
    await connection.send(CLOSE_STREAM)
    messages = await ended(connection)
    assert word_errors([text(messages)], [BECKETT]) < TOLERATED
    assert connection.close_code == 1000
    assert messages[-1]["duration"] == pytest.approx(SECONDS, abs=0.03)
    await assert_billed(engine, user, 3600, cost(messages[-1]), "client_stop")


@pytest.mark.parametrize(
    ("query", "kind"),
    [({}, "mp3"), ({}, "wav"), ({}, "m4a"), ({"encoding": "opus", "sample_rate": "48000"}, "opus")],
)
async def test_other_formats_are_understood_and_billed_exactly(
    engine: Service, query: dict[str, str], kind: str
) -> None:
    made: dict[str, Callable[[], Sequence[bytes]]] = {
        "mp3": lambda: pieces(encoded("mp3", "libmp3lame", 44_100, speech(44_100))),
        "wav": lambda: pieces(encoded("wav", "pcm_s16le", 16_000, speech())),
        "m4a": lambda: pieces(encoded("mp4", "aac", 44_100, speech(44_100))),
        "opus": opus_packets,
    }
    user = await engine.user(3600)
    connection = await listen(engine, user, QUERY | query)
    await send(connection, made[kind](), SECONDS)
    await connection.send(CLOSE_STREAM)
    messages = await ended(connection)
    assert word_errors([text(messages)], [BECKETT]) < TOLERATED
    await assert_billed(engine, user, 3600, cost(messages[-1]), "client_stop")


async def test_a_browsers_recording_is_cut_off_at_zero(engine: Service, webm: bytes) -> None:
    user = await engine.user(4)
    connection = await listen(engine, user, QUERY)
    with contextlib.suppress(ConnectionClosed):
        await send(connection, [*pieces(webm), *[b"more"] * 1000], SECONDS * 11)
    messages = await ended(connection)
    assert [each["type"] for each in messages[-2:]] == ["Results", "Metadata"]
    assert text(messages).lower().startswith("ever tried")
    assert connection.close_code == 1000
    await assert_billed(engine, user, 4, 4, "insufficient_credits")
    assert await refused(engine, user, QUERY) == (402, "ASR_PAYMENT_REQUIRED")


async def test_a_file_sent_at_once_is_billed_whole_though_its_hold_was_smaller(engine: Service) -> None:
    """The first hold is 25 s. How long the file is, the upstream says when everything has been sent."""
    user = await engine.user(100)
    connection = await listen(engine, user, {"model": "nova-3"})
    await connection.send(encoded("ogg", "libopus", 48_000, at_rate(*recording("two_cities.wav"), 48_000)))
    await connection.send(CLOSE_STREAM)
    messages = await ended(connection)
    assert word_errors([text(messages)], [TWO_CITIES]) < TOLERATED
    assert cost(messages[-1]) == 45
    await assert_billed(engine, user, 100, 45, "client_stop")


async def test_of_a_file_sent_at_once_only_the_words_that_are_paid_are_delivered(engine: Service, webm: bytes) -> None:
    user = await engine.user(5)
    connection = await listen(engine, user, {"model": "nova-3"})
    await connection.send(webm)
    await connection.send(CLOSE_STREAM)
    messages = await ended(connection)
    assert text(messages).lower().startswith("ever tried")
    assert "better" not in text(messages).lower()
    assert messages[-1]["type"] == "Metadata"
    await assert_billed(engine, user, 5, 5, "client_stop")


async def test_what_is_no_audio_costs_nothing_and_is_closed_as_deepgram_does(engine: Service) -> None:
    user = await engine.user(100)
    connection = await listen(engine, user, QUERY)
    with contextlib.suppress(ConnectionClosed):
        await send(connection, [b"no audio at all, " * 1000] * 8, 4)
    messages = await ended(connection)
    assert messages[-1]["duration"] == 0
    assert (connection.close_code, connection.close_reason) == (1008, "DATA-0000")
    await assert_billed(engine, user, 100, 0, "upstream_closed")


async def test_a_client_that_vanishes_in_mid_stream_is_billed_what_was_heard(engine: Service, webm: bytes) -> None:
    user = await engine.user(100)
    connection = await listen(engine, user, QUERY)
    await send(connection, pieces(webm)[:50], SECONDS / 2)
    connection.transport.abort()
    session = await ended_session(engine, user)
    assert session["audio_seconds"] == pytest.approx(SECONDS / 2, abs=0.7)
    await assert_billed(engine, user, 100, ceil(session["audio_seconds"]), "client_gone")
