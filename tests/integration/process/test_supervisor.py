"""The supervisor of `serve`, with stand-ins for its children: deaths, signals and cleanup."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.standin import child
from tests.waiting import block_until
from transcription_proxy.db import places

PARENT = """
import json, os, sys
from transcription_proxy.process import supervisor
from transcription_proxy.config import load
from transcription_proxy.errors import ConfigError
supervisor.GRACE_SECONDS = float(os.environ.pop("TEST_GRACE", "20"))
script, folder = sys.argv[1:]
try:
    sys.exit(supervisor.serve(load(), engine=[sys.executable, script, "engine", folder],
                              worker=[sys.executable, script, "worker", folder]))
except ConfigError as error:
    sys.exit(str(error))
"""
NO_DATABASE = {"DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/none"}
NO_ENGINE = {"DEEPGRAM_URL": "ws://127.0.0.1:1"}


class Service:
    """A running `serve`, and the events that its children recorded."""

    def __init__(self, folder: Path, port: int, env: dict[str, str]) -> None:
        self.folder = folder
        self.port = port
        everything = {**os.environ, "PORT": str(port), "DATA_DIR": str(folder), **env}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, child.__file__, str(folder)],
            env=everything,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def events(self, role: str | None = None, event: str | None = None) -> list[dict[str, Any]]:
        try:
            lines = (self.folder / "events").read_text().splitlines()
        except FileNotFoundError:
            return []
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [each for each in found if role in (None, each["role"]) and event in (None, each["event"])]

    def wait_for(self, role: str, event: str, count: int = 1) -> list[dict[str, Any]]:
        block_until(lambda: len(self.events(role, event)) >= count)
        return self.events(role, event)

    def output(self) -> str:
        return "".join(stream.read() for stream in (self.process.stdout, self.process.stderr) if stream)

    def finish(self) -> int:
        (self.folder / "finish").touch()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


Start = Callable[..., Service]


@pytest.fixture
def start(reachable_dir: Path) -> Iterator[Start]:
    services: list[Service] = []

    def start(*, port: int | None = None, misconfigured: bool = False, **env: str) -> Service:
        folder = places.make_folder(reachable_dir / uuid4().hex, 0o711)
        if misconfigured:
            (folder / "misconfigured").touch()
        services.append(Service(folder, port or free_port(), env))
        return services[-1]

    yield start
    for service in services:
        (service.folder / "finish").touch()
        service.process.send_signal(signal.SIGTERM)
        service.process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def is_gone(pid: int) -> bool:
    return not b"".join(places.command(pid))


def test_children_inherit_sockets_and_settings(start: Start) -> None:
    service = start(**NO_DATABASE, WORKERS="2")
    [engine] = service.wait_for("engine", "start")
    workers = service.wait_for("worker", "start", 2)
    assert {worker["env"]["WORKER_NUMBER"] for worker in workers} == {"0", "1"}
    for worker in workers:
        assert worker["port"] == service.port
        assert worker["env"]["DATABASE_URL"] == NO_DATABASE["DATABASE_URL"]
        assert worker["env"]["DEEPGRAM_URL"] == f"ws://127.0.0.1:{engine['port']}"
        assert worker["env"]["DEEPGRAM_API_KEY"] == engine["env"]["ENGINE_KEY"]
        assert worker["env"]["BUILTIN_ENGINE"] == "1"
    assert service.finish() == 0


def test_the_addresses_are_printed_without_passwords(start: Start) -> None:
    service = start(**NO_DATABASE, **NO_ENGINE)
    assert service.process.stdout is not None
    lines = [service.process.stdout.readline().strip() for _ in range(4)]
    assert lines[-1] == f"Ready: http://127.0.0.1:{service.port}"
    assert "127.0.0.1:1/none" in lines[0]
    assert service.finish() == 0
    assert "secret" not in "".join(lines) + service.output()


def test_with_a_deepgram_url_no_engine_is_started(start: Start) -> None:
    service = start(**NO_DATABASE, **NO_ENGINE)
    [worker] = service.wait_for("worker", "start")
    assert worker["env"]["DEEPGRAM_URL"] == NO_ENGINE["DEEPGRAM_URL"]
    assert "BUILTIN_ENGINE" not in worker["env"]
    assert service.finish() == 0
    assert service.events("engine") == []


def test_a_killed_child_is_restarted_at_the_same_address(start: Start) -> None:
    service = start(**NO_DATABASE)
    for role in ("engine", "worker"):
        for deaths in (1, 2):
            before = service.wait_for(role, "start", deaths)[-1]
            os.kill(before["pid"], signal.SIGKILL)
            after = service.wait_for(role, "start", deaths + 1)[-1]
            assert after["port"] == before["port"]
            assert after["env"] == before["env"]
    with socket.create_connection(("127.0.0.1", service.port), 10) as connection:
        assert connection.recv(1024) == child.ANSWER
    assert service.finish() == 0


def test_a_wrong_configuration_ends_the_service(start: Start) -> None:
    service = start(**NO_DATABASE, **NO_ENGINE, misconfigured=True)
    assert service.process.wait(20) == 1
    assert len(service.events("worker", "start")) == 1


def test_the_engine_ends_after_the_workers(start: Start) -> None:
    service = start(**NO_DATABASE, WORKERS="2")
    service.wait_for("worker", "start", 2)
    service.wait_for("engine", "start")
    service.process.send_signal(signal.SIGTERM)
    service.wait_for("worker", "term", 2)
    service.process.send_signal(signal.SIGINT)
    service.wait_for("worker", "term", 4)
    assert service.events("engine", "term") == []
    assert service.process.poll() is None
    (service.folder / "finish").touch()
    assert service.process.wait(20) == 0
    assert [each["role"] for each in service.events(event="end")] == ["worker", "worker", "engine"]


def test_the_engine_is_restarted_while_workers_finish(start: Start) -> None:
    service = start(**NO_DATABASE)
    [engine] = service.wait_for("engine", "start")
    service.wait_for("worker", "start")
    service.process.send_signal(signal.SIGTERM)
    service.wait_for("worker", "term")
    os.kill(engine["pid"], signal.SIGKILL)
    service.wait_for("engine", "start", 2)
    assert service.finish() == 0


def test_a_worker_that_does_not_end_is_killed(start: Start) -> None:
    service = start(**NO_DATABASE, **NO_ENGINE, DRAIN_SECONDS="0", TEST_GRACE="0.3")
    [worker] = service.wait_for("worker", "start")
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(20) == 0
    assert service.events("worker", "term")
    assert is_gone(worker["pid"])


def test_children_notice_that_the_parent_was_killed(start: Start) -> None:
    service = start(**NO_DATABASE)
    service.wait_for("worker", "start")
    service.wait_for("engine", "start")
    service.process.kill()
    service.wait_for("worker", "orphaned")
    service.wait_for("engine", "orphaned")


def test_the_error_names_a_taken_port(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = start(**NO_DATABASE, **NO_ENGINE, port=port)
        assert service.process.wait(20) == 1
        assert f"Port {port} is in use" in service.output()
        assert "Traceback" not in service.output()


def test_the_bundled_postgresql_is_restarted_and_stopped_last(start: Start) -> None:
    service = start(**NO_ENGINE, DATABASE_URL="")
    [worker] = service.wait_for("worker", "start")
    url = worker["env"]["DATABASE_URL"]
    killed = _postmaster(url)
    os.kill(killed, signal.SIGKILL)
    block_until(lambda: _answers(url) and _postmaster(url) != killed)
    pid = _postmaster(url)
    service.process.send_signal(signal.SIGTERM)
    service.wait_for("worker", "term")
    assert _answers(url)
    assert service.finish() == 0
    assert is_gone(pid)


def _postmaster(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int").fetchone()
    assert row is not None
    return int(row[0])


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
