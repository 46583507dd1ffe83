"""The parent of `serve`: it holds the listening sockets, the bundled PostgreSQL and the processes that do the work.

It starts those again that die and passes signals on. It serves nothing itself, so that nothing can bring it down."""

import errno
import logging
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from transcription_proxy import address, readiness
from transcription_proxy.config import Settings
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.libpq import shield
from transcription_proxy.errors import ConfigError, Unavailable
from transcription_proxy.payments import sandboxed
from transcription_proxy.readiness import address_of

log = logging.getLogger(__name__)

MODULE: Final = (sys.executable, "-P", "-m")
"""-P: a file of the current folder, such as its own logging.py, is not taken for a library."""
ENGINE: Final = (*MODULE, "transcription_proxy.engine")
SANDBOX: Final = (*MODULE, "transcription_proxy.sandbox")
WORKER: Final = (*MODULE, "transcription_proxy.worker")
MISCONFIGURED: Final = os.EX_CONFIG
"""A worker's exit status that no restart can cure: it has said why."""
GRACE: Final = 60.0
"""Seconds beyond DRAIN_SECONDS after which a worker is killed."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
STEADY: Final = 60.0
"""Seconds of life after which a child's earlier deaths are forgotten."""
TICK: Final = 0.5
WATCH: Final = 2.0
"""Seconds between looks at the bundled PostgreSQL."""
LEAST_ROOM: Final = 32 << 20
"""Bytes on its disk."""


def serve(
    settings: Settings,
    *,
    engine: Sequence[str] = ENGINE,
    worker: Sequence[str] = WORKER,
    sandbox: Sequence[str] = SANDBOX,
) -> int:
    """Runs the service until a signal ends it; the exit status.

    Raises ConfigError or Unavailable when it cannot start. To be called from the main thread.
    """
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    shield(bundled=settings.database_url is None)
    signals = _signals()
    with ExitStack() as held:
        listener = held.enter_context(closing(listen(settings.host, settings.port)))
        held.enter_context(address.publish(settings.data_dir, settings.public_url))
        pipe = held.enter_context(_pipe())
        inherited = Inherited({"PARENT_FD": str(pipe), "WORKER_FD": str(listener.fileno())}, (pipe, listener.fileno()))
        bundled = None
        if settings.database_url is None:
            database = held.enter_context(Embedded.acquire(settings.data_dir, say, workers=settings.workers))
            held.enter_context(_watching(database))
            bundled = database.home
            inherited = inherited.and_also({"DATABASE_URL": database.url}, database.lock_fd)
        servants = []
        if settings.builtin_engine:
            loopback = held.enter_context(closing(listen("127.0.0.1", 0)))
            speech, its_address = _builtin_engine(engine, loopback, pipe)
            servants.append(speech)
            inherited = inherited.and_also(its_address)
        shop = None
        if settings.sandbox:
            counter = held.enter_context(closing(_sandbox_listener(settings)))
            shop = _sandbox_url(settings, counter)
            servants.append(_sandbox(sandbox, counter, settings, pipe))
        crew = [
            Child(f"worker {number}", worker, inherited.and_also({"WORKER_NUMBER": str(number)}))
            for number in range(settings.workers)
        ]
        readiness.watch(address_of(listener), lambda: _introduce(settings, bundled, shop), log.error)
        return Supervisor(crew, servants, settings.drain_seconds + GRACE, listener.close).run(signals)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a child gets from us: environment variables, and descriptors that keep their numbers."""

    env: Mapping[str, str]
    descriptors: tuple[int, ...]

    def and_also(self, env: Mapping[str, str], *descriptors: int) -> Self:
        return replace(self, env={**self.env, **env}, descriptors=(*self.descriptors, *descriptors))


def _builtin_engine(command: Sequence[str], loopback: socket.socket, pipe: int) -> tuple["Child", dict[str, str]]:
    """The engine, and what workers need to reach it. We hold its socket: while it restarts, connections wait there."""
    key, (host, port) = secrets.token_urlsafe(32), loopback.getsockname()
    env = {"PARENT_FD": str(pipe), "ENGINE_FD": str(loopback.fileno()), "ENGINE_KEY": key}
    child = Child("engine", command, Inherited(env, (pipe, loopback.fileno())))
    return child, {"DEEPGRAM_URL": f"ws://{host}:{port}", "DEEPGRAM_API_KEY": key, "BUILTIN_ENGINE": "1"}


def _sandbox_listener(settings: Settings) -> socket.socket:
    """Where it listened the last time, so that a bookmark of its pages stays good, or anywhere."""
    try:
        return listen(settings.host, sandboxed.make(settings.data_dir).port)
    except ConfigError:
        return listen(settings.host, 0)


def _sandbox(command: Sequence[str], listener: socket.socket, settings: Settings, pipe: int) -> "Child":
    """The sandbox Stripe. Where it is stands in DATA_DIR."""
    shop = sandboxed.keep(settings.data_dir, sandboxed.make(settings.data_dir), *address_of(listener))
    service = replace(shop, port=settings.port)
    env = {
        "PARENT_FD": str(pipe),
        "SANDBOX_FD": str(listener.fileno()),
        "SANDBOX_KEY": shop.key,
        "SANDBOX_SHOP": settings.site_name,
        "SANDBOX_STATE": str(sandboxed.state_file(settings.data_dir)),
        "SANDBOX_URL": _sandbox_url(settings, listener),
        "SANDBOX_WEBHOOK_URL": f"{service.api_base}/webhooks/stripe",
        "SANDBOX_WEBHOOK_SECRET": shop.webhook_secret,
    }
    return Child("sandbox", command, Inherited(env, (pipe, listener.fileno())))


def _sandbox_url(settings: Settings, listener: socket.socket) -> str:
    """As browsers reach it: on the host where they find the service."""
    host = urlsplit(settings.public_url).hostname or "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


class Child:
    """A process that is to be there: when it dies it is started again, at once the first time, then later and later."""

    def __init__(self, name: str, command: Sequence[str], inherited: Inherited) -> None:
        self.name = name
        self._command = command
        self._inherited = inherited
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 0.0
        self._due = 0.0

    @property
    def alive(self) -> bool:
        return self._process is not None

    def start_if_due(self, now: float) -> None:
        """In a session of its own, so that Ctrl-C in a terminal reaches only us."""
        if self.alive or now < self._due:
            return
        self._started = now
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                self._command,
                env={**os.environ, **self._inherited.env},
                pass_fds=self._inherited.descriptors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            log.error("can't start %s: %s", self.name, error)
            self._plan_restart(now)

    def ended(self, now: float) -> int | None:
        """Its exit status, once, when it has died."""
        status = self._process.poll() if self._process else None
        if status is not None:
            self._process = None
            self._plan_restart(now)
        return status

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def end(self, patience: float) -> None:
        """SIGTERM, and SIGKILL where that does not help."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _plan_restart(self, now: float) -> None:
        if now - self._started > STEADY:
            self._pause = 0.0
        self._due = now + self._pause
        self._pause = min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE)


class Supervisor:
    """Keeps the children alive until a signal; then the workers finish their sessions, and their servants go last."""

    def __init__(
        self, workers: Sequence[Child], servants: Sequence[Child], patience: float, on_stop: Callable[[], None]
    ) -> None:
        self._workers = workers
        self._servants = servants
        self._children = [*workers, *servants]
        self._patience = patience
        self._on_stop = on_stop
        self._kill_at: float | None = None
        self._status = 0

    def run(self, signals: "queue.SimpleQueue[int]") -> int:
        """Until all workers have ended after a signal, or one of them found the configuration to be wrong."""
        while self._kill_at is None or any(worker.alive for worker in self._workers):
            self._look_after(time.monotonic())
            try:
                number = signals.get(timeout=TICK)
            except queue.Empty:
                continue
            if number != signal.SIGCHLD:
                self._stop(time.monotonic())
        for servant in self._servants:
            servant.end(5)
        return self._status

    def _look_after(self, now: float) -> None:
        for child in self._children:
            status = child.ended(now)
            if status is not None:
                self._mourn(child, status, now)
            if self._kill_at is None or child in self._servants:  # sessions that finish still need the engine
                child.start_if_due(now)
        if self._kill_at is not None and now > self._kill_at:
            self._signal_workers(signal.SIGKILL)

    def _mourn(self, child: Child, status: int, now: float) -> None:
        if status == MISCONFIGURED and child in self._workers:
            self._status = 1
            if self._kill_at is None:
                self._stop(now)
        elif self._kill_at is None or child in self._servants:
            log.error("%s exited with status %d, restarting it", child.name, status)

    def _stop(self, now: float) -> None:
        if self._kill_at is None:
            self._kill_at = now + self._patience
            self._on_stop()
        self._signal_workers(signal.SIGTERM)

    def _signal_workers(self, number: signal.Signals) -> None:
        for worker in self._workers:
            worker.signal(number)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError, saying what stands in the way."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        raise ConfigError([_why_not(host, port, error)]) from error
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Stop the program using it, or set PORT to another one."
    if error.errno == errno.EACCES:
        return f"Port {port} needs root. Set PORT to one above 1023."
    return f"Can't listen on HOST {host}, PORT {port}: {error.strerror}."


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _signals() -> "queue.SimpleQueue[int]":
    """The signals that arrive from now on. A SimpleQueue may be filled by a handler."""
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:  # nohup ignores it
            signal.signal(number, lambda number, _frame: signals.put(number))
    return signals


@contextmanager
def _pipe() -> Iterator[int]:
    """The end that children read from: it ends when we do, however we do."""
    reader, writer = os.pipe()
    try:
        yield reader
    finally:
        os.close(writer)
        os.close(reader)


@contextmanager
def _watching(database: Embedded) -> Iterator[None]:
    """Brings the bundled PostgreSQL back whenever it dies, and says so when it has no room left."""
    done = threading.Event()

    def watch() -> None:
        full = False
        while not done.wait(WATCH):
            try:
                full = _full(database, full)
                database.ensure(done.is_set)
            except Unavailable as error:
                log.error("%s Trying again", error)
            except Exception:
                log.exception("the bundled PostgreSQL is down, trying again")  # whatever it was, it may pass

    thread = threading.Thread(target=watch, name="database-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _full(database: Embedded, before: bool) -> bool:
    """Whether the database's disk has too little room to work; told when it changes."""
    now = shutil.disk_usage(database.home).free < LEAST_ROOM
    if now and not before:
        log.error("the bundled PostgreSQL is out of disk space: free up space for %s", database.home)
    elif before and not now:
        log.warning("the bundled PostgreSQL has disk space again")
    return now


def _introduce(settings: Settings, bundled: Path | None, shop: str | None) -> None:
    say(f"Database: {_shown(settings.database_url) or f'bundled PostgreSQL in {bundled}'}")
    say(f"Speech engine: {_shown(settings.deepgram_url) or 'built in, English'}")
    say(f"Stripe: {f'sandbox at {shop} (no real money)' if shop else settings.stripe_api_base or 'live'}")
    say(f"Ready: {settings.public_url}")


def _shown(url: str | None) -> str | None:
    """A URL without the password that it may hold."""
    parts = urlsplit(url or "")
    return url and f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
