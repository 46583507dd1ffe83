"""A client of the load measures what the stand-in answers."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable

import pytest
from picows import ws_create_server

from bench.client import Client, ConnectFailed, close_all, noise
from bench.upstream import Stream

FRAME_MS = 100
FRAMES_PER_FINAL = 30


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition. Raise TimeoutError."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    server = await ws_create_server(lambda _: Stream(), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"ws://{host}:{port}"
    server.close()
    await server.wait_closed()


async def test_each_second_of_audio_has_a_latency(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    latencies = array("d")
    monkeypatch.setattr(Client, "latencies", latencies)
    client = Client(noise(FRAME_MS))
    await client.connect(url)
    for _ in range(FRAMES_PER_FINAL):
        client.send()
    await until(lambda: len(latencies) == 3)
    assert all(0 < latency < 30 for latency in latencies)
    assert await close_all([client], 10) == 0


async def test_audio_that_no_final_covers_is_counted(url: str) -> None:
    frame = noise(FRAME_MS)
    client = Client(frame)
    await client.connect(url)
    for _ in range(FRAMES_PER_FINAL + 2):
        client.send()
    await until(lambda: client.unfinal_bytes == 2 * len(frame))
    await close_all([client], 10)


async def test_nobody_there_is_a_failure_with_its_reason() -> None:
    client = Client(noise(FRAME_MS))
    with pytest.raises(ConnectFailed, match="Error"):
        await client.connect("ws://127.0.0.1:9")


def test_noise_is_the_same_in_each_run() -> None:
    assert noise(20) == noise(20)
    assert len(noise(20)) == 640
