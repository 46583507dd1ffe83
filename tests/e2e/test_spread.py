"""How two workers share connections: in a burst, one by one, after a crash, and while one of them hangs."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from time import perf_counter

import pytest_asyncio

from tests.e2e.client import Captions, User
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.waiting import until

LIVE = b"GET /live HTTP/1.1\r\nHost: here\r\n\r\n"
ANSWER_SECONDS = 2.0
"""Far more than the few milliseconds for which a connection waits for a worker that hangs."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two(scratch: Path, upstream: Upstream) -> AsyncIterator[Service]:
    env = environment(scratch / "spread", upstream.url, WORKERS="2", MAX_SESSIONS_PER_USER="100")
    async with serving(env) as service:
        await until_both_take(service)
        yield service


def workers(service: Service) -> list[int]:
    return [pid for pid in service.children() if b"process.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def spread(service: Service) -> dict[int, int]:
    """Return how many connections each worker has accepted that are still open."""
    port = f":{int(service.env['PORT']):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    open_ones = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == "01"}
    return {pid: len(open_ones & _files(pid)) for pid in workers(service)}


def _files(pid: int) -> set[str]:
    files = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed by now
            files.add(str(file.readlink()))
    return files


@asynccontextmanager
async def connections(service: Service) -> AsyncIterator["Connections"]:
    before = sum(spread(service).values())
    async with AsyncExitStack() as stack:
        yield Connections(service, stack)
    await until(lambda: sum(spread(service).values()) <= before)


class Connections:
    """Connections that stay open during the block."""

    def __init__(self, service: Service, stack: AsyncExitStack) -> None:
        self._port = int(service.env["PORT"])
        self._stack = stack

    async def open(self) -> float:
        """Open a connection and send a request. Return the seconds until its answer came."""
        began = perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._stack.enter_context(closing(writer))
        writer.write(LIVE)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        return perf_counter() - began


async def until_both_take(service: Service) -> None:
    """Wait until two workers run, and the one with fewer connections takes the next."""

    async def takes() -> bool:
        async with connections(service) as some:
            before = spread(service)
            fewer = min(before, key=before.__getitem__)
            await some.open()
            return len(before) == 2 and spread(service)[fewer] > before[fewer]

    await until(takes)


async def test_a_burst_is_spread_evenly(two: Service) -> None:
    async with connections(two) as burst:
        await asyncio.gather(*(burst.open() for _ in range(300)))
        assert min(spread(two).values()) >= 130


async def test_connections_that_come_one_by_one_are_spread_evenly(two: Service) -> None:
    async with connections(two) as some:
        for _ in range(60):
            await some.open()
        assert min(spread(two).values()) >= 28


async def test_while_a_worker_hangs_the_other_takes_all_at_once(two: Service) -> None:
    """When it goes on, it takes what comes next, until both are even."""
    async with connections(two) as some:
        for _ in range(20):
            await some.open()
        hung = workers(two)[0]
        os.kill(hung, signal.SIGSTOP)
        try:
            one_by_one = [await some.open() for _ in range(10)]
            burst = await asyncio.gather(*(some.open() for _ in range(50)))
            assert max(*one_by_one, *burst) < ANSWER_SECONDS
            assert spread(two)[hung] <= 11
        finally:
            os.kill(hung, signal.SIGCONT)
        for _ in range(60):
            await some.open()
        assert min(spread(two).values()) >= 66


async def test_a_restarted_worker_takes_the_next_streams(two: Service) -> None:
    user = await two.user(3600)
    streams = [await _stream(two, user) for _ in range(40)]
    os.kill(workers(two)[0], signal.SIGKILL)
    await until(lambda: sum(stream.close_code is not None for stream in streams) >= 19)
    await until_both_take(two)
    for _ in range(20):
        await _stream(two, user)
    assert min(spread(two).values()) >= 19


async def _stream(service: Service, user: User) -> Captions:
    stream = await service.captions(user)
    await stream.ready()
    return stream
