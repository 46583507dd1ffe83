"""The parent process of `serve`. It holds the listening sockets, and runs the bundled PostgreSQL and the children.

It restarts children that die and passes signals on. It serves no requests itself, so that none can bring it down."""

import logging
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from transcription_proxy.config import Settings
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.libpq import shield
from transcription_proxy.logs import configure_library_logging
from transcription_proxy.process import acceptor, address, auxiliaries, database, readiness
from transcription_proxy.process.child import Child, Inherited
from transcription_proxy.process.sockets import address_of, listen

log = logging.getLogger(__name__)

MODULE: Final = (sys.executable, "-P", "-m")
"""-P: files of the current folder, such as a logging.py, must not shadow modules."""
LEAN: Final = (*MODULE, "transcription_proxy.process.lean")
ENGINE: Final = (*MODULE, "transcription_engine")
SANDBOX: Final = (*LEAN, "transcription_sandbox")
WORKER: Final = (*LEAN, "transcription_proxy.process.worker")
ALLOCATOR: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_TOP_PAD_": str(16 << 20),
}
"""glibc's settings for workers, in bytes. By default the heap of a worker that keeps and frees seconds of audio grows
and shrinks some hundred times a second, and the kernel clears the pages each time."""
MISCONFIGURED: Final = os.EX_CONFIG
"""Exit status of a worker that printed what is wrong with the configuration: a restart would not help."""
GRACE_SECONDS: Final = 60.0
"""Seconds after DRAIN_SECONDS before a worker is killed."""
TICK_SECONDS: Final = 0.5
"""Seconds between checks of the children."""


def serve(
    settings: Settings,
    *,
    engine: Sequence[str] = ENGINE,
    worker: Sequence[str] = WORKER,
    sandbox: Sequence[str] = SANDBOX,
) -> int:
    """Run the service until a signal ends it. Return the exit status.

    Raises ConfigError or Unavailable if it cannot start. Must be called from the main thread.
    """
    configure_library_logging(settings.log_level.upper(), as_json=settings.production)
    shield(bundled=settings.database_url is None)
    signals = _signals()
    with ExitStack() as held:
        listener = held.enter_context(closing(listen(settings.host, settings.port)))
        held.enter_context(address.publish(settings.data_dir, settings.public_url))
        pipe = held.enter_context(_pipe())
        counted = held.enter_context(TemporaryDirectory(prefix="transcription-metrics-"))
        inherited = Inherited(
            {"PROMETHEUS_MULTIPROC_DIR": counted, "PARENT_FD": str(pipe), "WORKER_FD": str(listener.fileno())},
            (pipe, listener.fileno()),
        )
        if settings.workers > 1:
            loads = held.enter_context(acceptor.shared_loads(settings.workers))
            inherited = inherited.extended({"LOADS_FD": str(loads)}, loads)
        bundled = None
        if settings.database_url is None:
            postgres = held.enter_context(Embedded.acquire(settings.data_dir, print_line, workers=settings.workers))
            held.enter_context(database.keep_running(postgres))
            bundled = postgres.home
            inherited = inherited.extended({"DATABASE_URL": postgres.url}, postgres.lock_fd)
        beside: list[Child] = []
        if settings.builtin_engine:
            loopback = held.enter_context(closing(listen("127.0.0.1", 0)))
            speech, engine_env = auxiliaries.builtin_engine(engine, loopback, pipe)
            beside.append(speech)
            inherited = inherited.extended(engine_env)
        sandbox_url = None
        if settings.sandbox:
            sandbox_listener = held.enter_context(closing(auxiliaries.sandbox_listener(settings)))
            sandbox_url = auxiliaries.sandbox_url(settings, sandbox_listener)
            beside.append(auxiliaries.sandbox(sandbox, sandbox_listener, settings, pipe))
        workers = [
            Child(f"worker {number}", worker, inherited.extended({**ALLOCATOR, "WORKER_NUMBER": str(number)}))
            for number in range(settings.workers)
        ]
        readiness.watch(address_of(listener), lambda: _print_addresses(settings, bundled, sandbox_url), log.error)
        return Supervisor(workers, beside, settings.drain_seconds + GRACE_SECONDS, listener.close).run(signals)


class Supervisor:
    """Keeps the children alive until a signal. Then the workers finish their sessions, and the auxiliaries end last."""

    def __init__(
        self,
        workers: Sequence[Child],
        auxiliaries: Sequence[Child],
        timeout_seconds: float,
        on_stop: Callable[[], None],
    ) -> None:
        self._workers = workers
        self._auxiliaries = auxiliaries
        self._children = [*workers, *auxiliaries]
        self._timeout_seconds = timeout_seconds
        self._on_stop = on_stop
        self._kill_at: float | None = None
        self._status = 0

    def run(self, signals: "queue.SimpleQueue[int]") -> int:
        """Run until all workers have ended, after a signal or a wrong configuration. Return the exit status."""
        while self._kill_at is None or any(worker.is_alive for worker in self._workers):
            self._check_children(time.monotonic())
            try:
                number = signals.get(timeout=TICK_SECONDS)
            except queue.Empty:
                continue
            if number != signal.SIGCHLD:
                self._stop(time.monotonic())
        for auxiliary in self._auxiliaries:
            auxiliary.end(5)
        return self._status

    def _check_children(self, now: float) -> None:
        for child in self._children:
            status = child.poll_exit(now)
            if status is not None:
                self._handle_exit(child, status, now)
            if self._kill_at is None or child in self._auxiliaries:  # finishing sessions need the engine
                child.start_if_due(now)
        if self._kill_at is not None and now > self._kill_at:
            self._signal_workers(signal.SIGKILL)

    def _handle_exit(self, child: Child, status: int, now: float) -> None:
        if status == MISCONFIGURED and child in self._workers:
            self._status = 1
            if self._kill_at is None:
                self._stop(now)
        elif self._kill_at is None or child in self._auxiliaries:
            log.error("%s exited with status %d, restarting it", child.name, status)

    def _stop(self, now: float) -> None:
        if self._kill_at is None:
            self._kill_at = now + self._timeout_seconds
            self._on_stop()
        self._signal_workers(signal.SIGTERM)

    def _signal_workers(self, number: signal.Signals) -> None:
        for worker in self._workers:
            worker.signal(number)


def print_line(line: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _signals() -> "queue.SimpleQueue[int]":
    """Return a queue of the signals that arrive from now on. A signal handler may fill a SimpleQueue."""
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:  # nohup ignores it
            signal.signal(number, lambda number, _frame: signals.put(number))
    return signals


@contextmanager
def _pipe() -> Iterator[int]:
    """Yield the read end of a pipe for the children: the kernel closes the pipe when this process ends, in any way."""
    reader, writer = os.pipe()
    try:
        yield reader
    finally:
        os.close(writer)
        os.close(reader)


def _print_addresses(settings: Settings, bundled: Path | None, sandbox_url: str | None) -> None:
    """Print the service's addresses. `bundled`: the folder of the bundled PostgreSQL."""
    print_line(f"Database: {_without_password(settings.database_url) or f'bundled PostgreSQL in {bundled}'}")
    print_line(f"Speech engine: {_without_password(settings.deepgram_url) or 'built in, English'}")
    print_line(
        f"Stripe: {f'sandbox at {sandbox_url} (no real money)' if sandbox_url else settings.stripe_api_base or 'live'}"
    )
    print_line(f"Ready: {settings.public_url}")


def _without_password(url: str | None) -> str | None:
    """Return a URL without user and password, None for none."""
    parts = urlsplit(url or "")
    return url and f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
