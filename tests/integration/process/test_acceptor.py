"""A worker that accepts from the socket it shares with others: what it takes, what it leaves, and for how long."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from tests.waiting import until
from transcription_proxy.process import acceptor
from transcription_proxy.process.acceptor import Acceptor, Loads, shared_loads


class Listener(socket.socket):
    """A listening socket whose `accept` fails so many times."""

    failures = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


class Worker:
    """A worker beside another one, whose load the test publishes."""

    def __init__(self, listener: Listener, memory: int) -> None:
        self.listener = listener
        self.accepted: list[asyncio.BaseTransport] = []
        self.other = Loads(memory, 1)
        self.acceptor = Acceptor(listener, Loads(memory, 0), lambda: len(self.accepted), lambda: Accepted(self))
        self.opened: list[socket.socket] = []

    def connect(self) -> None:
        """Connect to the socket that both workers listen on."""
        self.opened.append(socket.create_connection(self.listener.getsockname()))

    async def accepts(self, count: int) -> None:
        """Wait until the worker has accepted so many connections."""
        await until(lambda: len(self.accepted) == count, 5)


class Accepted(asyncio.Protocol):
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._worker.accepted.append(transport)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    with shared_loads(2) as memory, Listener() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        worker = Worker(listener, memory)
        yield worker
        if listener.fileno() >= 0:
            worker.acceptor.close()
        for transport in worker.accepted:
            transport.close()
        for connection in worker.opened:
            connection.close()


async def test_a_worker_whose_neighbour_died_takes_all(worker: Worker) -> None:
    worker.other.publish(0, now=monotonic() - 2 * acceptor.STALE_SECONDS)
    for count in range(1, 21):
        worker.connect()
        await worker.accepts(count)


async def test_a_worker_with_more_connections_leaves_the_next_to_one_that_is_awake(worker: Worker) -> None:
    """When the other has as many, the worker takes the next."""
    worker.other.publish(0, monotonic())
    worker.connect()
    await worker.accepts(1)
    worker.connect()
    deadline = monotonic() + 20 * acceptor.LEAVE_SECONDS
    while monotonic() < deadline:
        worker.other.publish(0, monotonic())
        await asyncio.sleep(0)
    assert len(worker.accepted) == 1
    worker.other.publish(1, monotonic())
    await worker.accepts(2)


async def test_a_worker_takes_what_one_that_hangs_has_left(worker: Worker) -> None:
    for count in range(1, 9):
        worker.other.publish(0, monotonic())
        worker.connect()
        await worker.accepts(count)


async def test_a_worker_with_too_many_open_files_tries_again(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "ERROR_SECONDS", 0.1)
    worker.listener.failures = 2
    worker.connect()
    await worker.accepts(1)
    assert worker.listener.failures == 0


async def test_a_worker_that_closes_takes_no_more(worker: Worker) -> None:
    worker.other.publish(0, monotonic())
    worker.connect()
    await worker.accepts(1)
    worker.connect()
    await asyncio.sleep(0)  # it leaves the second one to the other worker
    worker.acceptor.close()
    await asyncio.sleep(2 * acceptor.LEAVE_SECONDS)
    assert len(worker.accepted) == 1
