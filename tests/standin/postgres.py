"""Debian's own PostgreSQL, and PgBouncer in transaction mode before it, in folders of their own."""

import contextlib
import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.debian import find

PATIENCE: Final = 30.0
SETTINGS: Final = {"fsync": "off", "max_connections": "100"}


@contextlib.contextmanager
def debian_postgres(settings: Mapping[str, str] = SETTINGS, address: str = "127.0.0.1") -> Iterator[str]:
    """Run a server of the oldest version that is installed. Yield its URL.

    `address`: where it listens, for all of that address's network."""
    programs, port = find("pg_ctl").resolve().parent, _free_port()
    with _folder() as folder:
        data = folder / "data"
        _run(
            programs / "initdb", "--pgdata", data, "--username=captions", "--auth=trust", "--no-sync", "--encoding=UTF8"
        )
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        options = {
            **settings,
            "port": str(port),
            "listen_addresses": address,
            "unix_socket_directories": str(folder),
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        with _running(programs / "postgres", "-D", data, *given, log=folder / "log"):
            url = f"postgresql://captions@{address}:{port}/postgres"
            _until_answers(url, folder / "log")
            yield url


@contextlib.contextmanager
def pgbouncer(server: str) -> Iterator[str]:
    """Run PgBouncer in transaction mode before a server. Yield its URL."""
    port = _free_port()
    host = psycopg.conninfo.conninfo_to_dict(server)
    with _folder() as folder:
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={host['host']} port={host['port']} user=captions\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"pool_mode = transaction\nauth_type = any\n"
            "default_pool_size = 10\nmax_client_conn = 500\nserver_idle_timeout = 5\n"
        )
        for file in folder.iterdir():
            file.chmod(0o644)
        with _running(find("pgbouncer"), folder / "pgbouncer.ini", log=folder / "log"):
            url = f"postgresql://captions@127.0.0.1:{port}/postgres"
            _until_answers(url, folder / "log")
            yield url


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder of the user that the servers run as, since neither runs as root."""
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        if os.geteuid() == 0:
            os.chown(name, _user()["user"], _user()["group"])
        yield Path(name)


def _user() -> dict[str, int]:
    """The user that Debian's packages made, if we are root, who may run neither."""
    if os.geteuid() != 0:
        return {}
    found = pwd.getpwnam("postgres")
    return {"user": found.pw_uid, "group": found.pw_gid}


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=PATIENCE, env=_environment(), **_as())


def _as() -> Any:
    return {**_user(), **({"extra_groups": []} if _user() else {})}


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def _running(*command: str | Path, log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd="/", env=_environment(), **_as())
    try:
        yield
    finally:
        process.send_signal(2)  # PostgreSQL: a fast shutdown
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_answers(url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            assert time.monotonic() < deadline, f"{error}\n{log.read_text()[-2000:]}"
            time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
