"""The bundled PostgreSQL, shared by all processes that use one DATA_DIR: the first starts it, the last stops it.

Each of these processes holds a shared lock, which the kernel drops however the process ends."""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from transcription_proxy.db import ownership
from transcription_proxy.db.cluster import Cluster
from transcription_proxy.db.ownership import Note
from transcription_proxy.errors import Unavailable

log = logging.getLogger(__name__)


def _silent(_sentence: str) -> None:
    pass


class Embedded:
    """One process's use of the server. Starting it blocks for about a second; no event loop is needed."""

    def __init__(self, cluster: Cluster, user: int) -> None:
        self._cluster = cluster
        self.lock_fd = user
        """Holds the lock that keeps the server running. A child process that inherits it keeps it running too."""
        self.url = cluster.url
        """The URL, which stays the same when the server restarts."""
        self.home = cluster.home
        """The folder of the server's files: in DATA_DIR, unless the server's user cannot enter that."""

    @classmethod
    def acquire(
        cls,
        data_dir: Path,
        report: Callable[[str], None] = _silent,
        *,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> Self:
        """Start the server with connections for `workers`, or use the running one. `settings`: PostgreSQL's settings.

        `report` gets a sentence for each step. Raise Unavailable, with what to do.
        """
        try:
            return cls._acquire(data_dir.resolve(), report, workers, settings or {})
        except PermissionError as error:
            raise Unavailable(
                f"The bundled PostgreSQL belongs to another user ({error}). "
                "Run as the user who first started it, or set DATABASE_URL."
            ) from error

    @classmethod
    def _acquire(cls, data_dir: Path, report: Callable[[str], None], workers: int, settings: Mapping[str, str]) -> Self:
        cluster = Cluster(data_dir, workers, settings)
        with _alone(cluster.home):
            user = _open(cluster.home / "users.lock")
            try:
                note = _claim(data_dir, cluster, user)
                fcntl.flock(user, fcntl.LOCK_SH)
                _bring_up(cluster, report, note=note)
                return cls(cluster, user)
            except BaseException:
                os.close(user)
                raise

    def ensure(self, given_up: Callable[[], bool] = lambda: False) -> None:
        """Restart the server if it died, until `given_up` is true. This is cheap while it runs. Raise Unavailable."""
        if not self._cluster.answers():
            with _alone(self._cluster.home):
                _bring_up(self._cluster, _silent, given_up)

    def release(self) -> None:
        """Stop the server if no other process uses it."""
        with _alone(self._cluster.home):
            try:
                fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._cluster.stop()
            except BlockingIOError:
                pass
            finally:
                os.close(self.lock_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _claim(data_dir: Path, cluster: Cluster, user: int) -> Note | None:
    """Set aside a cluster that belongs to another DATA_DIR. Return the note for this one's, or None inside DATA_DIR."""
    noted = ownership.read(data_dir)
    if noted is not None and noted.home != str(cluster.home) and not cluster.exists:
        log.warning(
            "the database of %s was in %s before DATA_DIR was moved or copied. Creating a new one in %s. "
            "To use the old one, stop this program, move the new one away, and move %s there",
            *(data_dir, noted.home, cluster.server, Path(noted.home) / "server"),
        )
    if cluster.home.is_relative_to(data_dir):
        return None
    owner = ownership.read(cluster.server)
    taken = cluster.exists and ownership.belongs(noted, owner, cluster.home, ownership.is_fresh(data_dir))
    if cluster.exists and not taken:
        _set_aside(data_dir, cluster, user)
    note = ownership.renewed(noted, cluster.home)
    if note != noted:
        ownership.write(data_dir, note)
    if taken and owner is None:
        ownership.write(cluster.server, note)
    return note


def _set_aside(data_dir: Path, cluster: Cluster, user: int) -> None:
    try:
        fcntl.flock(user, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unavailable(
            f"The database in {cluster.home} belongs to a DATA_DIR that used to be {data_dir}, and is in use. "
            "Stop the service that was started there."
        ) from None
    aside = cluster.set_aside()
    log.warning(
        "the database in %s belongs to a DATA_DIR that used to be %s. It is kept as %s, and a new one is created. "
        "To use it again, stop this program, move it to %s, and copy %s from there to %s",
        *(cluster.home, data_dir, aside, cluster.server, ownership.NAME, data_dir),
    )


def _bring_up(
    cluster: Cluster,
    report: Callable[[str], None],
    given_up: Callable[[], bool] = lambda: False,
    note: Note | None = None,
) -> None:
    if cluster.answers():
        report("PostgreSQL: using the one already running")
        return
    if not cluster.exists:
        cluster.make(note)
        report(f"PostgreSQL: created a database in {cluster.home}")
    cluster.start(given_up)
    report("PostgreSQL: started")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the lock that lets one process at a time start or stop the server."""
    lock = _open(home / "start.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
