"""The speech engine is asked whether it would take a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from transcription_proxy.relay.probe import answers


@asynccontextmanager
async def engine(reply: bytes, heard: list[bytes] | None = None) -> AsyncIterator[str]:
    """The URL of a server that says `reply` to each request."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(reply)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("reply", "works"),
    [
        (b"HTTP/1.1 426 Upgrade Required\r\n\r\n", True),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", True),
        (b"HTTP/1.1 429\r\n\r\n", True),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", False),
        (b"HTTP/1.1 402 Payment Required\r\n\r\n", False),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH\r\n", False),
        (b"HTTP/1.1 four\r\n", False),
        (b"x" * 10_000, False),
        (b"", False),
    ],
)
async def test_statuses_that_mean_a_working_engine(reply: bytes, works: bool) -> None:
    async with engine(reply) as url:
        assert await answers(url, "key", 5) is works


async def test_the_probe_requests_the_path_of_a_stream_with_the_key() -> None:
    heard: list[bytes] = []
    async with engine(b"HTTP/1.1 426\r\n\r\n", heard) as url:
        await answers(url, "a-key", 5)
        await answers(url, None, 5)
    assert [request.split(b"\r\n")[0] for request in heard] == [b"GET /v1/listen HTTP/1.1"] * 2
    assert [b"Authorization: Token a-key" in request for request in heard] == [True, False]


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "ws://nowhere.invalid", "wss://127.0.0.1:1"])
async def test_an_engine_that_is_not_there(url: str) -> None:
    assert not await answers(url, None, 5)


async def test_an_engine_that_sends_nothing_is_not_waited_for_long() -> None:
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        assert not await answers(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", None, 0.05)
