"""The engine's process: how it starts, and how it ends."""

import asyncio
import os
import signal
import socket

import pytest

from tests.integration.engine.recordings import recording
from tests.integration.engine.running import (
    RAW,
    SECOND,
    TIMEOUT_SECONDS,
    connected,
    end,
    frames,
    inheriting,
    running,
    transcribe,
    transcript,
)
from tests.waiting import until


async def test_without_a_key_the_engine_serves_its_own_port_to_anybody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with running("--port", str(port), ENGINE_KEY="") as process:
        await _listening(port)
        client = await transcribe(f"ws://127.0.0.1:{port}", RAW, bytes(SECOND))
    assert client.metadata["duration"] == 1
    assert process.returncode == 0


def test_the_error_names_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with running("--port", port) as process:
            _, complaint = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 1
    assert complaint.startswith(f"Can't use port {port}")
    assert len(complaint.splitlines()) == 1


async def test_after_sigterm_every_stream_gets_its_last_words() -> None:
    audio = recording("beckett.wav")[0].tobytes()
    interims = f"{RAW}&interim_results=true"
    with inheriting() as (process, url):
        async with connected(url, interims) as live, connected(url) as behind:
            await live.send(*frames(audio[: SECOND * 6 // 5]))  # the line is not complete
            await live.until(lambda: any(map(transcript, live.results())))  # a progress report has no words
            await behind.send(*frames(audio * 6))
            await behind.until(behind.results)
            process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, TIMEOUT_SECONDS) == 0
    assert live.text()
    assert live.metadata["duration"] == pytest.approx(1.2)
    assert behind.metadata["duration"] < 55, "waiting audio was recognized"
    for client in (live, behind):
        assert end(client.finals()[-1]) == pytest.approx(client.metadata["duration"], abs=0.001)
        assert (client.code, client.reason) == (1000, "")


async def test_the_engine_shuts_down_when_its_parent_dies() -> None:
    ours, theirs = os.pipe()
    with inheriting(PARENT_FD=str(ours)) as (process, url):
        os.close(ours)
        async with connected(url) as client:
            await client.send(bytes(SECOND))
            await client.until(client.results)
            os.close(theirs)
        assert await asyncio.to_thread(process.wait, TIMEOUT_SECONDS) == 0
    assert (client.metadata["duration"], client.code) == (1, 1000)


async def _listening(port: int) -> None:
    """Wait until a server listens on the port. Raise TimeoutError."""
    await until(lambda: _is_listening(port))


async def _is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True
