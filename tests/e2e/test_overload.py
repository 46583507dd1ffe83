"""Overload: the service's memory stays bounded, and other clients do not notice."""

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.e2e.client import SECOND, Captions, sound
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.standin.script import Script

MIB = 1 << 20
MOST = 256 * MIB


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crowded(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    more = {"MAX_SESSIONS_PER_USER": "100", "UPSTREAM_MAX_STREAMS": "60", "KEEP_ALIVE_SECONDS": "1"}
    env = environment(scratch / "crowded", upstream.url, **more)
    async with serving(env) as running:
        yield running


def memory(service: Service) -> int:
    """Return the resident bytes of the worker."""
    parent = service.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    (worker,) = [child for child in children if "worker" in Path(f"/proc/{child}/cmdline").read_text()]
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * resource.getpagesize()


class Watch:
    """Measures the highest memory use during the block."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.most = 0

    async def __aenter__(self) -> "Watch":
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            self.most = max(self.most, memory(self._service))
            await asyncio.sleep(0.1)


async def works(service: Service) -> None:
    """Assert that a new session gets captions."""
    captions = await service.captions(await service.user(60))
    await captions.ready()
    await captions.send(sound(3))
    assert (await captions.stop())["seconds_used"] == 3


async def test_unread_answers_do_not_fill_memory(crowded: Service) -> None:
    """458,300 of them once took a gigabyte."""
    _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(crowded.url).port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with Watch(crowded) as watch:
        before = memory(crowded)
        writer.write(b"GET /health HTTP/1.1\r\nHost: captions\r\n\r\n" * 400_000)
        await asyncio.sleep(3)
        assert writer.transport.get_write_buffer_size() > 0
    assert watch.most - before < 8 * MIB
    writer.transport.abort()
    await works(crowded)


async def test_idle_connections_do_not_fill_memory(crowded: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(crowded.url).port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: captions\r\n\r\n")
    begun = time.monotonic()
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200 OK")
    assert time.monotonic() - begun > 0.9
    writer.close()


async def test_unauthenticated_sockets_do_not_fill_memory(crowded: Service) -> None:
    async with Watch(crowded) as watch:
        strangers: list[Captions] = []
        while len(strangers) < 1500:  # at once, or the first would time out before the last connect
            strangers += await asyncio.gather(*(crowded.dial() for _ in range(100)))
        for stranger in strangers[:100]:
            with contextlib.suppress(Exception):
                await stranger.socket.send(b"\0" * MIB)
        for stranger in strangers:
            await stranger.closed(within=20)
    assert watch.most < MOST
    assert {stranger.close_code for stranger in strangers} == {4408, 1013}
    await works(crowded)


async def test_floods_of_tiny_frames_and_invalid_messages_do_no_harm(crowded: Service) -> None:
    users = [await crowded.user(3600) for _ in range(4)]
    floods = [await crowded.captions(user) for user in users for _ in range(2)]
    for flood in floods:
        await flood.ready()
    tiny, nonsense = floods[:4], floods[4:]
    async with Watch(crowded) as watch:
        await asyncio.gather(*(flood.send(b"\0" * 5000, frame=1) for flood in tiny))
        await asyncio.gather(*(shout(flood) for flood in nonsense))
        ends = [await flood.stop() for flood in tiny]
    assert watch.most < MOST
    assert [end["seconds_used"] for end in ends] == [1] * 4
    assert [flood.close_code for flood in nonsense] == [1008] * 4
    await works(crowded)


async def shout(captions: Captions) -> None:
    with contextlib.suppress(Exception):
        for number in range(1000):
            await captions.socket.send("[" * 100_000 if number % 10 == 0 else '{"type":')
    await captions.closed()


async def test_a_stalled_stream_does_not_delay_others(crowded: Service, upstream: Upstream) -> None:
    user = await crowded.user(3600)
    stuck = await crowded.captions(user, upstream.scripted(Script(stops_reading_after=1)))
    others = [await crowded.captions(user) for _ in range(49)]
    for captions in (stuck, *others):
        await captions.ready()
    pushing = asyncio.create_task(stuck.send_while_open(sound(120)))
    begun = time.monotonic()
    await asyncio.gather(*(captions.send(sound(4), speed=1) for captions in others))
    ends = await asyncio.gather(*(captions.stop() for captions in others))
    assert time.monotonic() - begun < 20
    assert [end["seconds_used"] for end in ends] == [4] * 49
    assert stuck.close_code is None
    pushing.cancel()
    stuck.vanish()


async def test_a_slow_upstream_holds_its_client_back(crowded: Service, upstream: Upstream) -> None:
    user = await crowded.user(3600)
    captions = await crowded.captions(user, upstream.scripted(Script(stops_reading_after=1)))
    await captions.ready()
    async with Watch(crowded) as watch:
        before = memory(crowded)
        pushing = asyncio.create_task(captions.send_while_open(sound(600)))
        await asyncio.sleep(3)
        assert not pushing.done()
    assert watch.most - before < 8 * MIB
    assert upstream.heard(captions).audio_bytes < 10 * SECOND
    pushing.cancel()
    captions.vanish()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_streams_beyond_the_upstreams_limit_are_refused(scratch: Path, upstream: Upstream, workers: str) -> None:
    env = environment(scratch / f"streams{workers}", upstream.url, UPSTREAM_MAX_STREAMS="3", WORKERS=workers)
    async with serving(env) as service:
        users = [await service.user(3600) for _ in range(3)]
        live = [await service.captions(user) for user in users]
        for captions in live:
            await captions.ready()
        late = await service.captions(await service.user(3600))
        assert (await late.closed(), late.errors()) == (1013, ["busy"])
        await live[0].stop()
        again = await service.captions(users[0])
        await again.ready()
        for captions in (again, *live[1:]):
            await captions.stop()
        await service.command("ledger", "audit")
