"""The bundled PostgreSQL on disk and as a process: initdb, start, stop, and whether it answers.

Nothing here is safe if two processes do it at once: embedded.py holds the locks."""

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

START_SECONDS: Final = 60.0
"""How long a start may take. After a crash the server first replays its log."""
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
MIN_CONNECTIONS: Final = 40
"""The lowest max_connections, whatever the number of workers."""
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
_SESSION: Final = "-c%20log_error_verbosity%3Dterse"
"""Options of sessions. Details of an error repeat the row in the server's log, with its email and password hash."""
_IN_BACKGROUND: Final = '"$@" </dev/null >>"$0" 2>&1 & echo $!'
_STARTUP: Final = struct.pack("!i", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
_NOT_YET: Final = b"C57P03\0"
_LEFTOVERS: Final = "pre-existing shared memory block"
_LONGEST_LOG: Final = 4_000_000
"""Bytes."""


class Cluster:
    """The PostgreSQL that belongs to one DATA_DIR. Its errors are Unavailable and say what to do."""

    def __init__(self, data_dir: Path, workers: int, settings: Mapping[str, str]) -> None:
        self._settings = {"max_connections": str(max(MIN_CONNECTIONS, needed(workers))), **settings}
        self.home = places.home(data_dir)
        self.server = self.home / "server"
        """The folder of the cluster, its password and its socket. `set_aside` moves it as a whole."""
        self._data = self.server / "cluster" / "data"
        self._log = self.server / "cluster" / "log"
        self._uid = places.server_uid(self.server / "cluster")
        self._sockets = self.server / "socket"
        if len(os.fsencode(self._sockets / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH or "," in str(self._sockets):
            self._sockets = places.short_folder(self._uid, data_dir)

    @property
    def url(self) -> str:
        password = (self.server / "password").read_text()
        host = quote(os.fsencode(self._sockets), safe="")
        return f"postgresql://postgres:{password}@/postgres?host={host}&options={_SESSION}"

    @property
    def exists(self) -> bool:
        return self.server.exists()

    def make(self, note: Note | None = None) -> None:
        """Create the cluster in a draft folder and rename it, so that a killed process leaves no half-made cluster."""
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
        """Stop the server, move the cluster's folder to a unique name, and return it."""
        self.stop()
        aside = self.home / f"set-aside-{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
        return self.server.rename(aside)

    def start(self, given_up: Callable[[], bool] = lambda: False) -> None:
        """Start the server, or wait for one that is starting. Raise Unavailable, also as soon as `given_up` is true."""
        deadline = time.monotonic() + START_SECONDS
        places.make_private_folder(self._sockets, self._uid)
        pid = self._running() or self._spawn()
        while not self.answers():
            if not self._is_server(pid):
                if _LEFTOVERS not in self._log_tail():
                    raise Unavailable(f"PostgreSQL didn't start: {self._log_tail()} {places.ADVICE}")
                time.sleep(0.3)  # child processes of a killed server are about to end
                pid = self._spawn()
            if given_up() or time.monotonic() > deadline:
                raise Unavailable(f"PostgreSQL (process {pid}) isn't responding: {self._log_tail()} {places.ADVICE}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server with all its connections, and return when it has ended."""
        for how in (signal.SIGINT, signal.SIGQUIT):  # pg_ctl calls these modes fast and immediate
            pid = self._running()
            if pid is None:
                return
            os.kill(pid, how)
            deadline = time.monotonic() + START_SECONDS / 2
            while self._is_server(pid) and time.monotonic() < deadline:
                time.sleep(0.02)

    def answers(self) -> bool:
        """Return whether the server takes connections: it asks for a password, or gives any error but "starting up"."""
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
        """Start the server detached from this process, which it outlives, and return its process id."""
        if self._log.exists() and self._log.stat().st_size > _LONGEST_LOG:
            os.truncate(self._log, 0)
        (self._sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)  # left by a killed server
        quoted = '"' + str(self._sockets).replace('"', '""') + '"'
        settings = {**SETTINGS, **self._settings, "unix_socket_directories": quoted}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        postgres = places.program(self.home, self._uid) / "postgres"
        shell: list[str | Path] = ["/bin/sh", "-c", _IN_BACKGROUND, self._log, postgres, "-D", self._data, *options]
        return int(places.run(shell, self._uid))

    def _running(self) -> int | None:
        """Return the server's process id. Remove a pid file that names no server of this cluster."""
        file = self._data / "postmaster.pid"
        try:
            pid = int(file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        if self._is_server(pid):
            return pid
        file.unlink(missing_ok=True)  # PostgreSQL would mistake another process with that id for a server
        return None

    def _is_server(self, pid: int) -> bool:
        return os.fsencode(self._data) in places.command(pid)

    def _log_tail(self) -> str:
        """Return the last lines of the server's log. A server that the kernel ends, such as for memory, leaves none."""
        try:
            lines = self._log.read_text(errors="replace").splitlines()[-4:]
        except FileNotFoundError:
            lines = []
        return " / ".join(lines) or f"nothing in its log, {self._log}. Was it killed, or out of memory?"
