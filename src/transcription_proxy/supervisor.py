"""The parent process of `serve`: it holds the listening sockets, and runs the bundled PostgreSQL and the children.

It restarts children that die and passes signals on. It serves no requests itself, so that none can bring it down."""

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
"""-P: files of the current folder, such as a logging.py, must not shadow modules."""
ENGINE: Final = (*MODULE, "transcription_proxy.engine")
SANDBOX: Final = (*MODULE, "transcription_proxy.sandbox")
WORKER: Final = (*MODULE, "transcription_proxy.worker")
MISCONFIGURED: Final = os.EX_CONFIG
"""Exit status of a worker that printed what is wrong with the configuration: a restart would not help."""
GRACE_SECONDS: Final = 60.0
"""Seconds after DRAIN_SECONDS before a worker is killed."""
FIRST_RESTART_SECONDS: Final = 0.5
MAX_RESTART_SECONDS: Final = 10.0
"""Delay of a restart: none the first time, then doubled from the first to the maximum."""
STEADY_SECONDS: Final = 60.0
"""Seconds of life after which a child's next restart has no delay again."""
TICK_SECONDS: Final = 0.5
"""Seconds between checks of the children."""
DATABASE_CHECK_SECONDS: Final = 2.0
"""Seconds between checks of the bundled PostgreSQL."""
MIN_DISK_BYTES: Final = 32 << 20
"""Free bytes on the disk below which the bundled PostgreSQL cannot work."""


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
            database = held.enter_context(Embedded.acquire(settings.data_dir, print_line, workers=settings.workers))
            held.enter_context(_watching(database))
            bundled = database.home
            inherited = inherited.extended({"DATABASE_URL": database.url}, database.lock_fd)
        auxiliaries = []
        if settings.builtin_engine:
            loopback = held.enter_context(closing(listen("127.0.0.1", 0)))
            speech, engine_env = _builtin_engine(engine, loopback, pipe)
            auxiliaries.append(speech)
            inherited = inherited.extended(engine_env)
        sandbox_url = None
        if settings.sandbox:
            sandbox_listener = held.enter_context(closing(_sandbox_listener(settings)))
            sandbox_url = _sandbox_url(settings, sandbox_listener)
            auxiliaries.append(_sandbox(sandbox, sandbox_listener, settings, pipe))
        workers = [
            Child(f"worker {number}", worker, inherited.extended({"WORKER_NUMBER": str(number)}))
            for number in range(settings.workers)
        ]
        readiness.watch(address_of(listener), lambda: _print_addresses(settings, bundled, sandbox_url), log.error)
        return Supervisor(workers, auxiliaries, settings.drain_seconds + GRACE_SECONDS, listener.close).run(signals)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a child inherits: environment variables, and file descriptors that keep their numbers."""

    env: Mapping[str, str]
    descriptors: tuple[int, ...]

    def extended(self, env: Mapping[str, str], *descriptors: int) -> Self:
        """Return a copy with more variables and descriptors."""
        return replace(self, env={**self.env, **env}, descriptors=(*self.descriptors, *descriptors))


def _builtin_engine(command: Sequence[str], loopback: socket.socket, pipe: int) -> tuple["Child", dict[str, str]]:
    """Return the engine's child, and the variables with which workers reach it.

    The supervisor holds the engine's socket: while the engine restarts, connections queue in the kernel.
    """
    key, (host, port) = secrets.token_urlsafe(32), loopback.getsockname()
    env = {"PARENT_FD": str(pipe), "ENGINE_FD": str(loopback.fileno()), "ENGINE_KEY": key}
    child = Child("engine", command, Inherited(env, (pipe, loopback.fileno())))
    return child, {"DEEPGRAM_URL": f"ws://{host}:{port}", "DEEPGRAM_API_KEY": key, "BUILTIN_ENGINE": "1"}


def _sandbox_listener(settings: Settings) -> socket.socket:
    """Listen on the port of the last run, so that bookmarks of the sandbox's pages stay valid, or else on any port."""
    try:
        return listen(settings.host, sandboxed.make(settings.data_dir).port)
    except ConfigError:
        return listen(settings.host, 0)


def _sandbox(command: Sequence[str], listener: socket.socket, settings: Settings, pipe: int) -> "Child":
    """Return the child of the sandbox Stripe, and write its address into DATA_DIR."""
    account = sandboxed.keep(settings.data_dir, sandboxed.make(settings.data_dir), *address_of(listener))
    service = replace(account, port=settings.port)
    env = {
        "PARENT_FD": str(pipe),
        "SANDBOX_FD": str(listener.fileno()),
        "SANDBOX_KEY": account.key,
        "SANDBOX_SHOP": settings.site_name,
        "SANDBOX_STATE": str(sandboxed.state_file(settings.data_dir)),
        "SANDBOX_URL": _sandbox_url(settings, listener),
        "SANDBOX_WEBHOOK_URL": f"{service.api_base}/webhooks/stripe",
        "SANDBOX_WEBHOOK_SECRET": account.webhook_secret,
    }
    return Child("sandbox", command, Inherited(env, (pipe, listener.fileno())))


def _sandbox_url(settings: Settings, listener: socket.socket) -> str:
    """Return the sandbox's URL for browsers: on the host of the service."""
    host = urlsplit(settings.public_url).hostname or "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


class Child:
    """A supervised process. When it dies it is restarted: at once the first time, then after growing delays."""

    def __init__(self, name: str, command: Sequence[str], inherited: Inherited) -> None:
        self.name = name
        self._command = command
        self._inherited = inherited
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._restart_delay = 0.0
        self._start_at = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether the process was started and its exit was not seen yet."""
        return self._process is not None

    def start_if_due(self, now: float) -> None:
        """Start the process if it is due, in a session of its own, so that Ctrl-C reaches only the supervisor."""
        if self.is_alive or now < self._start_at:
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

    def poll_exit(self, now: float) -> int | None:
        """Return the exit status, once, if the process has ended; otherwise None."""
        status = self._process.poll() if self._process else None
        if status is not None:
            self._process = None
            self._plan_restart(now)
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is alive."""
        if self._process is not None:
            self._process.send_signal(number)

    def end(self, timeout_seconds: float) -> None:
        """End the process: SIGTERM, and SIGKILL after `timeout_seconds`."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _plan_restart(self, now: float) -> None:
        if now - self._started > STEADY_SECONDS:
            self._restart_delay = 0.0
        self._start_at = now + self._restart_delay
        self._restart_delay = min(max(FIRST_RESTART_SECONDS, self._restart_delay * 2), MAX_RESTART_SECONDS)


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


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ConfigError with the reason if it cannot be bound."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        raise ConfigError([_bind_problem(host, port, error)]) from error
    return listener


def _bind_problem(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Stop the program using it, or set PORT to another one."
    if error.errno == errno.EACCES:
        return f"Port {port} needs root. Set PORT to one above 1023."
    return f"Can't listen on HOST {host}, PORT {port}: {error.strerror}."


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


@contextmanager
def _watching(database: Embedded) -> Iterator[None]:
    """Restart the bundled PostgreSQL whenever it dies, and log when its disk is full."""
    done = threading.Event()

    def watch() -> None:
        full = False
        while not done.wait(DATABASE_CHECK_SECONDS):
            try:
                full = _is_disk_full(database, full)
                database.ensure(done.is_set)
            except Unavailable as error:
                log.error("%s Trying again", error)
            except Exception:
                log.exception("the bundled PostgreSQL is down, trying again")  # it may pass

    thread = threading.Thread(target=watch, name="database-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _is_disk_full(database: Embedded, before: bool) -> bool:
    """Return whether the database's disk is too full to work. Logs changes."""
    now = shutil.disk_usage(database.home).free < MIN_DISK_BYTES
    if now and not before:
        log.error("the bundled PostgreSQL is out of disk space: free up space for %s", database.home)
    elif before and not now:
        log.warning("the bundled PostgreSQL has disk space again")
    return now


def _print_addresses(settings: Settings, bundled: Path | None, sandbox_url: str | None) -> None:
    """Print where everything is. `bundled`: the folder of the bundled PostgreSQL."""
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
