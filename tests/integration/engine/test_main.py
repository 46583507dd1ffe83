"""The engine's process: how it starts, and how it ends."""

import asyncio
import os
import signal
import socket

import pytest

from tests.integration.engine.recordings import recording
from tests.integration.engine.running import (
    PATIENCE,
    RAW,
    SECOND,
    end,
    frames,
    inheriting,
    running,
    talking,
    told,
    transcript,
)


async def test_the_engine_serves_a_port_of_its_own_to_anybody_where_no_key_is_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with running("--port", str(port), ENGINE_KEY="") as process:
        await _listening(port)
        talk = await told(f"ws://127.0.0.1:{port}", RAW, bytes(SECOND))
    assert talk.metadata["duration"] == 1
    assert process.returncode == 0


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with running("--port", port) as process:
            _, complaint = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert complaint.startswith(f"Can't use port {port}")
    assert len(complaint.splitlines()) == 1


async def test_sigterm_gives_every_stream_its_last_words() -> None:
    audio = recording("beckett.wav")[0].tobytes()
    interims = f"{RAW}&interim_results=true"
    with inheriting() as (process, url):
        async with talking(url, interims) as speaking, talking(url) as behind:
            await speaking.send(*frames(audio[: SECOND * 6 // 5]))  # in the middle of a line
            await speaking.until(lambda: any(map(transcript, speaking.results())))  # not a report of progress
            await behind.send(*frames(audio * 6))
            await behind.until(behind.results)
            process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0
    assert speaking.text()
    assert speaking.metadata["duration"] == pytest.approx(1.2)
    assert behind.metadata["duration"] < 55, "what waited was not heard"
    for talk in (speaking, behind):
        assert end(talk.finals()[-1]) == pytest.approx(talk.metadata["duration"], abs=0.001)
        assert (talk.code, talk.reason) == (1000, "")


async def test_the_engine_ends_in_order_when_its_parent_is_gone() -> None:
    ours, theirs = os.pipe()
    with inheriting(PARENT_FD=str(ours)) as (process, url):
        os.close(ours)
        async with talking(url) as talk:
            await talk.send(bytes(SECOND))
            await talk.until(talk.results)
            os.close(theirs)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0
    assert (talk.metadata["duration"], talk.code) == (1, 1000)


async def _listening(port: int) -> None:
    """Waits until somebody listens there. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
