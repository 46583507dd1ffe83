"""Accepts a worker's connections from the socket that all workers listen on, so that each worker gets an even share.

The kernel wakes every worker for a connection, and the first to accept gets it, whatever load it carries already. Here
a worker with more connections than another one leaves the next to the others for a moment (decision 29)."""

import asyncio
import mmap
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryFile
from time import monotonic
from typing import Final

import structlog

BATCH: Final = 4
"""Connections accepted in one go, before the other workers' loads are looked at again."""
LEAVE_SECONDS: Final = 0.005
"""How long a connection is left to the other workers, unless they take it sooner."""
STALE_SECONDS: Final = 0.3
"""Seconds without a sign of life after which nothing is left to a worker."""
ERROR_SECONDS: Final = 1.0
"""Pause after accept failed, for example because too many files are open."""
log = structlog.get_logger()


@contextmanager
def shared_loads(workers: int) -> Iterator[int]:
    """Yield a descriptor of memory for the loads of so many workers: a file without a name."""
    with TemporaryFile(buffering=0) as file:
        file.write(bytes(16 * workers))
        yield file.fileno()


def is_turn(own: float, others: Iterable[float]) -> bool:
    """Return whether a worker with the load `own` takes new connections, and does not leave them to the others."""
    return own <= min(others, default=own)


class Loads:
    """The loads of all workers in shared memory: two doubles each, the load and when it was published.

    A worker writes only its own, so there is no lock. `number`: this worker's."""

    def __init__(self, descriptor: int, number: int) -> None:
        self._values = memoryview(mmap.mmap(descriptor, 0)).cast("d")
        self._own = 2 * number

    def publish(self, load: float, now: float) -> None:
        """Write this worker's load, which is also a sign of life. `now`: by a clock that all processes share."""
        self._values[self._own] = load
        self._values[self._own + 1] = now

    def others(self, since: float) -> list[float]:
        """Return the loads of the other workers that have published one after `since`."""
        slots = range(0, len(self._values), 2)
        return [self._values[i] for i in slots if i != self._own and self._values[i + 1] > since]


class Acceptor:
    """Accepts connections until `close`. `load` returns the worker's open connections."""

    def __init__(
        self, listener: socket.socket, loads: Loads, load: Callable[[], float], protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._loads = loads
        self._load = load
        self._protocol = protocol
        self._opening: set[asyncio.Task[object]] = set()
        """Accepted connections that `load` does not count yet."""
        self._timer: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._resume()

    def publish(self) -> float:
        """Publish the worker's load, and return it. Call this several times in STALE_SECONDS, as a sign of life."""
        load = self._load() + len(self._opening)
        self._loads.publish(load, monotonic())
        return load

    def close(self) -> None:
        """Accept no more, and close the listening socket."""
        self._loop.remove_reader(self._listener)
        if self._timer is not None:
            self._timer.cancel()
        self._listener.close()

    def _resume(self) -> None:
        self._loop.add_reader(self._listener, self._handle_readable)

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._listener)
        self._timer = self._loop.call_later(seconds, then)

    def _handle_readable(self) -> None:
        now = monotonic()
        if is_turn(self.publish(), self._loads.others(now - STALE_SECONDS)):
            self._accept()
        else:
            self._pause(LEAVE_SECONDS, partial(self._accept_rest, now))

    def _accept_rest(self, since: float) -> None:
        """Accept what is left, unless a worker with fewer connections has been awake `since`: it takes its own."""
        self._resume()
        if is_turn(self.publish(), self._loads.others(since)):
            self._accept()

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("accept_failed", reason=str(error))
                self._pause(ERROR_SECONDS, self._resume)
                return
            opening = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, connection))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
