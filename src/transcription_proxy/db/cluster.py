"""The bundled PostgreSQL on disk and as a process: initdb, start, stop, and whether it answers.

Nothing here is safe against a second process doing the same: embedded.py holds the locks."""

import os
import secrets
import shutil
import signal
import socket
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from transcription_proxy.db import ownership, places
from transcription_proxy.db.capacity import needed
from transcription_proxy.db.ownership import Note
from transcription_proxy.errors import Unavailable

PATIENCE: Final = 60.0
"""Seconds that a start may take: after a crash it replays its log first."""
LONGEST_SOCKET_PATH: Final = 100
"""Bytes: the kernel's limit is 108 on Linux and 104 on macOS."""
SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "16MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "autovacuum_max_workers": "1",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
"""A small server: 10 MB of memory (docs/decisions/0001)."""
LEAST_CONNECTIONS: Final = 40
INITDB: Final = (
    "--username=postgres",
    "--auth-local=scram-sha-256",
    "--auth-host=reject",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--wal-segsize=4",
    "--no-instructions",
)
_IN_BACKGROUND: Final = '"$@" </dev/null >>"$0" 2>&1 & echo $!'
_STARTUP: Final = struct.pack("!i", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
_NOT_YET: Final = b"C57P03\0"
_LEFTOVERS: Final = "pre-existing shared memory block"
_LONGEST_LOG: Final = 4_000_000


class Cluster:
    """The PostgreSQL that belongs to one DATA_DIR. Its errors are Unavailable and say what to do."""

    def __init__(self, data_dir: Path, workers: int, settings: Mapping[str, str]) -> None:
        self._settings = {"max_connections": str(max(LEAST_CONNECTIONS, needed(workers))), **settings}
        self.home = places.home(data_dir)
        self.server = self.home / "server"
        """The cluster with its password and its socket: all that is moved when it is set aside."""
        self._data = self.server / "cluster" / "data"
        self._log = self.server / "cluster" / "log"
        self._uid = places.server_uid(self.server / "cluster")
        self._sockets = self.server / "socket"
        if len(os.fsencode(self._sockets / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH or "," in str(self._sockets):
            self._sockets = places.short_folder(self._uid, data_dir)

    @property
    def url(self) -> str:
        password = (self.server / "password").read_text()
        return f"postgresql://postgres:{password}@/postgres?host={quote(os.fsencode(self._sockets), safe='')}"

    @property
    def exists(self) -> bool:
        return self.server.exists()

    def make(self, note: Note | None = None) -> None:
        """initdb beside the place, then one rename: a process killed half-way leaves nothing that counts."""
        draft = self.home / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        maker = places.named_uid(self._uid)  # initdb refuses a user without a name
        places.make_folder(draft, 0o711)
        places.make_folder(draft / "cluster", 0o700, maker)
        password = places.make_secret(draft / "password", maker)
        initdb = places.program(self.home, self._uid) / "initdb"
        places.run([initdb, "-D", draft / "cluster" / "data", f"--pwfile={password}", *INITDB], maker)
        places.give(draft / "cluster", self._uid)
        places.give(password, os.geteuid())
        if note is not None:
            ownership.write(draft, note)
        draft.rename(self.server)

    def set_aside(self) -> Path:
        """Stop the server, and move the cluster to a name of its own. Return that."""
        self.stop()
        aside = self.home / f"set-aside-{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
        return self.server.rename(aside)

    def start(self, given_up: Callable[[], bool] = lambda: False) -> None:
        """Brings the server up, or waits for the one that is coming up, until it is `given_up`."""
        deadline = time.monotonic() + PATIENCE
        places.make_private_folder(self._sockets, self._uid)
        pid = self._running() or self._spawn()
        while not self.answers():
            if not self._is_server(pid):
                if _LEFTOVERS not in self._last_words():
                    raise Unavailable(f"PostgreSQL didn't start: {self._last_words()} {places.ADVICE}")
                time.sleep(0.3)  # what a killed server left behind is about to end
                pid = self._spawn()
            if given_up() or time.monotonic() > deadline:
                raise Unavailable(f"PostgreSQL (process {pid}) isn't responding: {self._last_words()} {places.ADVICE}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends all connections and the server, and returns when it is down."""
        for how in (signal.SIGINT, signal.SIGQUIT):  # what pg_ctl calls fast and immediate
            pid = self._running()
            if pid is None:
                return
            os.kill(pid, how)
            deadline = time.monotonic() + PATIENCE / 2
            while self._is_server(pid) and time.monotonic() < deadline:
                time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it takes connections now: it asks for a password, or says anything but "starting up"."""
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(2)
                probe.connect(os.fsencode(self._sockets / ".s.PGSQL.5432"))
                probe.sendall(struct.pack("!i", len(_STARTUP) + 4) + _STARTUP)
                answer = probe.recv(1024)
        except OSError:
            return False
        return answer[:1] == b"R" or (answer[:1] == b"E" and _NOT_YET not in answer)

    def _spawn(self) -> int:
        """Starts the server as nobody's child: it outlives us, and leaves no zombie with us when it dies."""
        if self._log.exists() and self._log.stat().st_size > _LONGEST_LOG:
            os.truncate(self._log, 0)
        (self._sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)  # a killed server's; no other uses this folder
        quoted = '"' + str(self._sockets).replace('"', '""') + '"'
        settings = {**SETTINGS, **self._settings, "unix_socket_directories": quoted}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        postgres = places.program(self.home, self._uid) / "postgres"
        shell: list[str | Path] = ["/bin/sh", "-c", _IN_BACKGROUND, self._log, postgres, "-D", self._data, *options]
        return int(places.run(shell, self._uid))

    def _running(self) -> int | None:
        """The server's process id. A pid file that names no server of ours is stale, and removed."""
        file = self._data / "postmaster.pid"
        try:
            pid = int(file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        if self._is_server(pid):
            return pid
        file.unlink(missing_ok=True)  # PostgreSQL would believe a number that another process has now
        return None

    def _is_server(self, pid: int) -> bool:
        return os.fsencode(self._data) in places.command(pid)

    def _last_words(self) -> str:
        """The end of its log. The kernel leaves no word there when it ends a process, such as for want of memory."""
        try:
            lines = self._log.read_text(errors="replace").splitlines()[-4:]
        except FileNotFoundError:
            lines = []
        return " / ".join(lines) or f"nothing in its log, {self._log}. Was it killed, or out of memory?"
